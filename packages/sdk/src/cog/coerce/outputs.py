"""A predictor's output to JSON.

The C encoder of `json` walks the value; only what it does not know comes to `_default`, so ordinary output costs no
Python. Files become markers (spec/worker-protocol.md) and are put where nobody writes to them any more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

from cog.coerce.foreign import simplify
from cog.coerce.inputs import FILE
from cog.coerce.outbox import Marker, Outbox
from cog.errors import OutputError
from cog.file import File, URLFile
from cog.path import Path, URLPath
from cog.schema import types as t

HOLDS_FILES = 1
_MARK = f'"{FILE}":'
_ADDRESS = ("http://", "https://", "data:")


class Encoder:
    """Writes the values of one output type. Not for several threads at once."""

    __slots__ = ("_encode", "_files", "_folder", "_items", "_keep", "_name", "_nullable", "_shape")

    def __init__(self, kind: t.Type | None = None, *, name: str = "predict") -> None:
        """Prepare for outputs of `kind` (None: any) of the function `name`."""
        self._name = name
        self._nullable = kind is None or isinstance(kind, (t.OptionalType, t.AnyType, t.NullType))
        self._shape = None if kind is None else _shaper(kind)
        self._encode = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=self._default
        ).encode
        self._files = 0
        self._folder = ""
        self._keep = False

    def encode(self, value: Any, folder: str, *, keep: bool = False) -> tuple[bytes, int]:
        """Return `value` as JSON and the frame's flags; files are put into `folder`.

        `keep` leaves the author's own files in place, for outputs of a generator that goes on. Raises OutputError.
        """
        if type(value) is str and self._shape is None:
            try:
                return encode_basestring(value).encode(), 0  # what nearly every token is
            except UnicodeEncodeError:
                pass  # half of a surrogate pair: below
        if value is None and not self._nullable:
            raise OutputError(f"{self._name}() returned None, but its annotation promises a value")
        if self._shape is not None:
            value = self._shape(value)
        self._files = 0
        self._folder = folder
        self._keep = keep
        try:
            text = self._text(value)
        except TypeError as error:
            raise OutputError(f"{self._name}() returned what JSON can't hold: {error}") from None
        except RecursionError:
            problem = "a value that contains itself, or is nested too deeply"
            raise OutputError(f"{self._name}() returned {problem}") from None
        except ValueError as error:  # an integer of more digits than Python writes
            raise OutputError(f"{self._name}() returned what JSON can't hold: {error}") from None
        if self._files and text.count(_MARK) > self._files:
            raise OutputError(f"{self._name}() returned an object with the key {FILE!r}, which is reserved")
        try:
            return text.encode(), HOLDS_FILES if self._files else 0
        except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 can't hold
            return text.encode("utf-8", "replace"), HOLDS_FILES if self._files else 0

    def _text(self, value: Any) -> str:
        try:
            return self._encode(value)
        except ValueError:
            # JSON has no NaN and no infinity. Found late, because looking for them first would cost every output.
            self._files = 0
            return self._encode(_finite(value, self._default, 0))

    def _default(self, value: Any) -> Any:
        if isinstance(value, Path):
            return self._file(value)
        if isinstance(value, (File, URLFile)) or hasattr(value, "readinto") or _is_text(value):
            self._files += 1
            return Outbox(self._folder).write(value)
        simple = simplify(value, lambda: Outbox(self._folder))
        if type(simple) is Marker:
            self._files += 1
        return simple

    def _file(self, path: Path) -> Any:
        if isinstance(path, URLPath) and path.source:
            return path.source
        self._files += 1
        return Outbox(self._folder).take(path, keep=self._keep)


def _is_text(value: Any) -> bool:
    """Say whether a value is a file of text, such as io.StringIO."""
    return hasattr(value, "read") and hasattr(value, "readline")


def _finite(value: Any, default: Callable[[Any], Any], depth: int) -> Any:
    """Return the value with NaN and the infinities as null."""
    if depth > 900:
        raise RecursionError
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, dict):
        return {key: _finite(item, default, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item, default, depth + 1) for item in value]
    return _finite(default(value), default, depth + 1)


def _shaper(kind: t.Type) -> Callable[[Any], Any] | None:
    """Return what makes a declared file of a text: authors return names of files as plain texts."""
    if isinstance(kind, (t.OptionalType, t.IteratorType)):
        return _shaper(kind.of if isinstance(kind, t.OptionalType) else kind.items)
    if isinstance(kind, t.FileType):
        return _to_path
    if isinstance(kind, t.ArrayType) and isinstance(t.unwrap(kind.items), t.FileType):
        return _to_paths
    return None


def _to_path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) and not value.startswith(_ADDRESS) else value


def _to_paths(value: Any) -> Any:
    return [_to_path(item) for item in value] if isinstance(value, (list, tuple, set)) else value
