"""What tells one test's instances from all others of the machine."""

from __future__ import annotations

import hashlib
from pathlib import Path


def mark_of(folder: Path) -> str:
    """Return the mark of a test's folder: of its whole path, for folders of two workers can have one name."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:16]
