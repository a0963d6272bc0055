"""How long data is kept, as a form says it."""

from __future__ import annotations

from cogyard.domain.retention import FOREVER_WORD, Keep, problem_of, read
from cogyard.http.errors import InvalidError


def keep_of(text: str) -> Keep | None:
    """Read what a form says: `12h`, `30d`, `4w`, `forever`; empty is no setting. Raises InvalidError."""
    text = text.strip().lower()
    if not text:
        return None
    keep = read(text)
    problem = None if keep is None or keep.seconds is None else problem_of(keep.seconds)
    if keep is None:
        problem = f"{text[:40]!r} is no time: write 12h, 30d, 4w or {FOREVER_WORD}."
    if keep is None or problem is not None:
        raise InvalidError(str(problem), problems=[("keep", str(problem))])
    return keep
