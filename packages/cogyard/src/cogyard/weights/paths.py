"""The names that weights may have: of files, and of the folder they stand in. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from cogyard.project.keys import WEIGHTS_NAME_PATTERN

#: Belongs to whoever delivers the weights: it holds the sign that they are there.
STATE = ".cog"
#: Where the project stands in an image; targets below it can be placed in a project's folder.
PROJECT = PurePosixPath("/src")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_MOST = 4096
#: What a container has for itself: nothing can be mounted over these.
_TAKEN = frozenset({"proc", "sys", "dev", "run"})


def path_problem(path: str) -> str | None:
    """Say why a file's path cannot be one; None when it can (draft, 1.3 and 1.4)."""
    parts, size = path.split("/"), len(path.encode("utf-8", "surrogatepass"))
    if not 0 < size <= _MOST:
        return f"has {size} bytes; it may have 1 to {_MOST}"
    if _CONTROL.search(path):
        return "has a control character or a backslash, or is not UTF-8"
    if any(part in {"", ".", ".."} for part in parts):
        return "is not a plain relative path"
    if parts[0] == STATE:
        return f"is in {STATE}/, which belongs to whoever delivers the weights"
    if any(part.startswith(".wh.") for part in parts):
        return "is the sign by which layers remove files"
    return None


def target_problem(target: str) -> str | None:
    """Say why weights cannot stand at a target; None when they can."""
    parts = target.split("/")[1:]
    if not target.startswith("/") or not parts or any(part in {"", ".", ".."} for part in parts):
        return "is not a plain absolute path"
    if _CONTROL.search(target) or ":" in target or "," in target or len(target.encode()) > _MOST:
        return "has a character that a mount cannot have"
    if parts[0] in _TAKEN:
        return f"is in /{parts[0]}, which a container has for itself"
    if PurePosixPath(target) == PROJECT:
        return "is the project's own folder"
    return None


def name_problem(name: str) -> str | None:
    """Say why weights cannot be called so; None when they can."""
    if len(name) <= 100 and re.fullmatch(WEIGHTS_NAME_PATTERN, name):
        return None
    return "is not a name: lower-case letters and digits, with - . _ between"


def in_project(target: str) -> str | None:
    """Return a target's path below the project's folder; None when it is elsewhere."""
    path = PurePosixPath(target)
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) and path != PROJECT else None
