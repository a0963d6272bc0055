"""The registry's page says what the registry can say."""

from __future__ import annotations

from pathlib import Path

from cogyard.registry import errors

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "registry.md"


def test_every_error_code_is_explained() -> None:
    """A code that a client may show can be looked up."""
    text = PAGE.read_text(encoding="utf-8")
    codes = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.DistributionError)
    }
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in text} == set()
