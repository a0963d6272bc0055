"""What is uploaded: a source that can be read again for each attempt, piece by piece, and tells how far it is."""

from __future__ import annotations

import io
import json
import mimetypes
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, Any, TypeAlias

Progress: TypeAlias = Callable[[int, int], object]
FileLike: TypeAlias = str | PurePath | IO[Any] | io.IOBase | bytes | bytearray | memoryview
IN_MEMORY = 8 << 20
PIECE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file on its way to the platform, from a source that can be sought."""

    name: str
    source: IO[bytes]
    content_type: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None

    def parts(self) -> dict[str, Any]:
        """Return the form of one attempt, whose file begins at its beginning."""
        content = _Told(self.source, self.progress)
        parts: dict[str, Any] = {"content": (self.name, content, self.content_type)}
        if self.metadata:
            parts["metadata"] = (None, json.dumps(dict(self.metadata)), "application/json")
        return parts


class _Told:
    """A file of which each read is told, as bytes read and bytes in all."""

    def __init__(self, source: IO[bytes], told: Progress | None) -> None:
        self._source, self._told = source, told
        self._size = source.seek(0, os.SEEK_END)

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        if self._told is not None and piece:
            self._told(self._source.tell(), self._size)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()


def name_of(file: Any) -> str:
    """Return what a file is called: its path's last part, or "file"."""
    own = file if isinstance(file, str | PurePath) else getattr(file, "name", None)
    return (PurePath(own).name if isinstance(own, str | PurePath) else "") or "file"


def type_of(name: str) -> str:
    """Return the media type that a file's name stands for."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


@contextmanager
def opened(file: FileLike) -> Iterator[IO[bytes]]:
    """Give the bytes of a path, bytes or an open file, from their beginning, as a file that can be sought.

    What cannot be sought, such as a pipe, is copied first. A file that was given open stays open.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        yield io.BytesIO(file)
    elif isinstance(file, str | PurePath):
        with Path(file).open("rb") as source:
            yield source
    else:
        # A text file over bytes, as open() makes without "b": its bytes are meant, not their reading as text.
        raw: Any = getattr(file, "buffer", file)
        if _rewound(raw) and not isinstance(raw, io.TextIOBase):
            yield raw
        else:
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
                while piece := raw.read(PIECE):
                    copy.write(piece.encode() if isinstance(piece, str) else piece)
                yield copy


def _rewound(file: Any) -> bool:
    seek = getattr(file, "seek", None)
    if seek is None or not getattr(file, "seekable", lambda: True)():
        return False
    seek(0)
    return True
