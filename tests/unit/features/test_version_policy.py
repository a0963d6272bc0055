"""When a version may be deleted."""

from __future__ import annotations

import pytest
from cogyard.features.versions.policy import Uses, why_kept


def test_what_nobody_needs_may_go() -> None:
    """A private model's version that only its owner has run."""
    assert why_kept("ann/hello", Uses()) is None


@pytest.mark.parametrize(
    ("uses", "words"),
    [
        (Uses(waits=True), "cancel them"),
        (Uses(deployment="ann/front"), "ann/front"),
        (Uses(public=True), "ann/hello is public"),
        (Uses(foreign=True), "Somebody else"),
        (Uses(trained="ann/learned"), "ann/learned"),
    ],
)
def test_what_is_needed_stays_and_says_why(uses: Uses, words: str) -> None:
    """With who needs it, and what to do where something can be done."""
    reason = why_kept("ann/hello", uses)
    assert reason is not None
    assert words in reason
