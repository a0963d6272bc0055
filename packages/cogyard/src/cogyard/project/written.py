"""What stands in cog.yaml: its values, and the places that messages point at; what was read once is remembered.

Reading it takes a tenth of the time of a push of an edited line, most of it PyYAML's import, and an edit is seldom one
of cog.yaml. What is remembered is known by the file's bytes and by the files of this code: it is what reading gives.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from cogyard.project.errors import Problem
from cogyard.project.values import Config


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where something stands; both count from 1."""

    line: int
    column: int


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A whole cog.yaml: its values, where its keys and each of `python_packages` stand, and what is wrong in it."""

    config: Config
    keys: Mapping[str, Place]
    build_keys: Mapping[str, Place]
    packages: tuple[tuple[str, Place], ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Memory(Protocol):
    """Keeps bytes by a key, as long as it likes."""

    def recall(self, key: str) -> bytes | None:
        """Return what was kept."""
        ...

    def keep(self, key: str, data: bytes) -> None:
        """Keep it, or do not."""
        ...


def read(data: bytes, filename: str, memory: Memory | None = None) -> Written:
    """Return what stands in the file, from `memory` when the same was read before. Raises ProjectError for no YAML."""
    if memory is None:
        return _read(data, filename)
    key = hashlib.sha256(b"\0".join([_code(), os.fsencode(filename), data])).hexdigest()
    found = _decoded(memory.recall(key))
    if found is None:
        found = _read(data, filename)
        encoded = _encoded(found)
        if encoded is not None:
            memory.keep(key, encoded)
    return found


def _read(data: bytes, filename: str) -> Written:
    from cogyard.project.document import compose
    from cogyard.project.parse import parse
    from cogyard.project.reader import Reader

    return parse(compose(data, filename), Reader(filename))


def _encoded(written: Written) -> bytes | None:
    """Return it as JSON; None for what must be mended, and what JSON has no words for: some numbers, half letters."""
    if written.problems:
        return None
    try:
        data = msgspec.json.encode(written, enc_hook=dict)
    except (ValueError, TypeError, RecursionError):
        return None
    return data if _decoded(data) == written else None


def _decoded(data: bytes | None) -> Written | None:
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Written)
    except (msgspec.MsgspecError, RecursionError):
        return None


@cache
def _code() -> bytes:
    """Return what changes when the code that reads does: an update, or an edit of ours."""
    with os.scandir(Path(__file__).parent) as entries:
        states = {each.name: each.stat() for each in entries if each.name.endswith(".py")}
    return repr(
        [(name, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for name, each in sorted(states.items())]
    ).encode()
