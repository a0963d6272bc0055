"""Suggest the word that was meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, allowed: Iterable[str], *, prefix: str = "") -> str | None:
    """Return a sentence with the nearest allowed word behind `prefix`, or None when nothing is near."""
    import difflib  # most projects have no mistake in them

    names = list(allowed)
    by_lower = {name.lower().replace("-", "_"): name for name in names}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return f"Did you mean `{prefix}{by_lower[near[0]]}`?" if near else None
