"""The packages of a lock as `name==version` lines, remembered: reading a lock of hundreds takes longer than an edit."""

from __future__ import annotations

from pathlib import Path

from cogyard.environment import Lock
from cogyard.environment import cache as kept


def frozen(lock: Lock, cache: Path) -> str:
    """Return what `lock.freeze` returns, from `cache` when the same text was read before. Raises as it."""
    path = cache / "selected" / kept.key("frozen 1", lock.text)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        found = lock.freeze()
    kept.write(path, found.encode())
    return found
