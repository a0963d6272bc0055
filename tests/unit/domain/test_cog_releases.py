"""What clients are told about the Cog of a version."""

from __future__ import annotations

import pytest
from cogyard.domain.cog_releases import told


@pytest.mark.parametrize(
    ("release", "wanted"),
    [
        ("0.1.0", "0.23.1+cogyard.0.1.0"),
        ("0.2", "0.23.1+cogyard.0.2"),
        ("0.3.8", "0.23.1+cogyard.0.3.8"),
        ("0.1.0.dev3+g12-x", "0.23.1+cogyard.0.1.0.dev3.g12.x"),
        ("0.3.9", "0.3.9"),
        ("0.16.12", "0.16.12"),
        ("1.0", "1.0"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_our_releases_are_not_taken_for_an_old_cog(release: str, wanted: str) -> None:
    """A number that clients would take for a Cog without marks of iterators stands behind one with them."""
    assert told(release) == wanted
