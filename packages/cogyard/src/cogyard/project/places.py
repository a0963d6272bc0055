"""Where a name written in a project leads: names come from anybody's files and need not be paths at all."""

from __future__ import annotations

from pathlib import Path


def place_of(folder: Path, name: str) -> Path | None:
    """Return the path that `name` means in `folder`, whether or not a file is there.

    None where no file can be: the name holds a NUL or half a character, is longer than the file system
    allows, runs in a circle of links, or leads through a folder that may not be read.
    """
    try:
        path = (folder / name).resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError):
        return None
    return path
