"""How a file of ours is written inside an input or output: `cogyard-file:<token>/<name>`.

The name is percent-encoded, because the whole also travels in a `Location` header, where there is only ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote

from cogyard.domain.ids import is_capability

SCHEME = "cogyard-file:"
NAME_LIMIT = 255
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True)
class FileRef:
    """Names one stored file by the unguessable token; `name` is for people and for the type."""

    token: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the reference that `text` is, or None when it is anything else."""
        if not text.startswith(SCHEME):
            return None
        token, slash, name = text[len(SCHEME) :].partition("/")
        name = unquote(name)
        if not slash or not is_capability(token) or safe_name(name) != name:
            return None
        return cls(token, name)

    def __str__(self) -> str:
        return f"{SCHEME}{self.token}/{quote(self.name, safe='')}"


def safe_name(name: str, default: str = "file") -> str:
    """Return a file name that is only that: no folders, no control characters, at most 255 bytes."""
    cleaned = _UNSAFE.sub("_", name).strip()
    while len(cleaned.encode()) > NAME_LIMIT:
        # Keep the end: it is the suffix that says what the file is.
        cleaned = cleaned[1:]
    return default if cleaned in {"", ".", ".."} else cleaned


def references(value: Any) -> Iterator[FileRef]:
    """Yield every reference inside a JSON value."""
    if not _names_files(value):
        return
    for text in texts(value):
        if (ref := FileRef.parse(text)) is not None:
            yield ref


def texts(value: Any) -> Iterator[str]:
    """Yield every string inside a JSON value (no keys), in its order."""
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, (dict, list, tuple)):
            items = each.values() if isinstance(each, dict) else each
            waiting.extend([item for item in items if isinstance(item, (str, dict, list, tuple))][::-1])


def presented(value: Any, address: Callable[[FileRef], str]) -> Any:
    """Return the JSON value with each reference replaced by its address; itself when there is none."""
    if not _names_files(value):
        return value
    return replaced(value, lambda text: address(ref) if (ref := FileRef.parse(text)) is not None else text)


def _names_files(value: Any) -> bool:
    """Whether any string inside a JSON value begins as a reference does."""
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if each.startswith(SCHEME):
                return True
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, (list, tuple)):
            waiting.extend(each)
    return False


def replaced(value: Any, change: Callable[[str], str]) -> Any:
    """Return the JSON value with `change` done to each string in it (not to keys)."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [replaced(item, change) for item in value]
    if isinstance(value, dict):
        return {key: replaced(item, change) for key, item in value.items()}
    return value
