"""What was selected of a lock for a machine, as values, and remembered: the same lock and machine give the same.

Selecting takes packaging, whose import costs more than everything else that a build of an edited line does with it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from cogyard.environment import cache as kept
from cogyard.environment.machine import Machine


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """The file to install for one package; `is_wheel` is false for source that is built first."""

    name: str
    version: str | None
    filename: str
    sha256: str | None
    size: int | None
    url: str | None
    path: str | None
    is_wheel: bool = True
    commit: str | None = None
    """Of a git repository at `url`."""
    subdirectory: str | None = None
    """Where in its source it is built."""


def selected(lock: str, machine: Machine, cache: Path, *, local_builds: bool = False) -> tuple[Selected, ...]:
    """Return what `select` returns, from `cache` when the same was selected before. Raises as it."""
    path = cache / "selected" / kept.key("selected 1", repr(machine), str(local_builds), lock)
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Selected, ...])
    except (OSError, msgspec.MsgspecError):
        from cogyard.image.wheels.select import select

        found = select(lock, machine, local_builds=local_builds)
    kept.write(path, msgspec.json.encode(found))
    return found
