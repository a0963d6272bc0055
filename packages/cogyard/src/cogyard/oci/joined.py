"""A blob that is put together while it is sent: bytes of memory and whole files, one after another, none copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec


class FilePart(msgspec.Struct, frozen=True):
    """A whole file of `size` bytes."""

    path: Path
    size: int


class Joined(msgspec.Struct, frozen=True):
    """The parts of a blob, in order; stands where a path to a file could."""

    parts: tuple[bytes | FilePart, ...]

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(len(each) if isinstance(each, bytes) else each.size for each in self.parts)

    def open(self, mode: str = "rb") -> JoinedReader:
        """Open it for reading; `mode` is always `rb`."""
        assert mode == "rb"  # noqa: S101 - there is no other way to read it
        return JoinedReader(self.parts)

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield all of it. Raises OSError, and EOFError when a file has become shorter."""
        with self.open() as reader:
            while chunk := reader.read(size):
                yield chunk


class JoinedReader:
    """Reads forwards, from wherever it was told to begin."""

    def __init__(self, parts: tuple[bytes | FilePart, ...]) -> None:
        """Belong to `Joined.open`."""
        self._parts = parts
        self._position = 0
        self._file: BinaryIO | None = None
        self._number = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def seek(self, position: int) -> int:
        """Go to a position."""
        self._position = position
        return position

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, empty at the end. Raises OSError, EOFError when a file has become shorter."""
        start = 0
        for number, part in enumerate(self._parts):
            length = len(part) if isinstance(part, bytes) else part.size
            offset = self._position - start
            if offset < length:
                wanted = min(size, length - offset)
                data = (
                    part[offset : offset + wanted]
                    if isinstance(part, bytes)
                    else self._of_file(number, part, offset, wanted)
                )
                self._position += len(data)
                return data
            start += length
        return b""

    def close(self) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _of_file(self, number: int, part: FilePart, offset: int, wanted: int) -> bytes:
        if self._file is None or self._number != number:
            self.close()
            self._file, self._number = part.path.open("rb"), number
        if self._file.tell() != offset:
            self._file.seek(offset)
        data = self._file.read(wanted)
        if not data:
            raise EOFError(f"{part.path} has become shorter than {part.size} bytes")
        return data
