"""Read somebody else's tar: forwards only, and no more at once than an honest one needs."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NoReturn, Self, cast

MAX_READ = 1 << 20
"""tarfile reads extended headers whole; no honest one is near this."""

_CHUNK = 1 << 20


class ForwardReader:
    """A forward-only view of a stream that bounds single reads and the sum of them.

    Give it to `tarfile` with `r:` and `tarinfo=ForwardTarInfo`.
    """

    def __init__(
        self,
        stream: IO[bytes],
        limit: int,
        *,
        refuse: Callable[[str], Exception],
        too_large: Callable[[int], Exception],
    ) -> None:
        """`refuse` and `too_large` make the errors for what is not honest, and for more than `limit` bytes."""
        self._stream = stream
        self._limit = limit
        self._refuse = refuse
        self._too_large = too_large
        self._position = 0
        self._header_end: int | None = None

    @contextmanager
    def header(self) -> Iterator[None]:
        """Bound all that is read within, one member's headers: new Pythons read a long one piece by piece."""
        self._header_end = self._position + MAX_READ
        try:
            yield
        finally:
            self._header_end = None

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        if not 0 <= size <= MAX_READ:
            self._end(f"A header of {size} bytes is larger than the {MAX_READ} allowed.")
        data = self._stream.read(size)
        self._position += len(data)
        if self._header_end is not None and self._position > self._header_end:
            self._end(f"A header of more than the {MAX_READ} bytes allowed.")
        if self._position > self._limit:
            raise self._too_large(self._limit)
        return data

    def tell(self) -> int:
        """Return how far it is."""
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        """Go on to a position."""
        if whence != 0 or position < self._position:
            self._end("The archive points back into itself.")
        while self._position < position:
            if not self.read(min(position - self._position, _CHUNK)):
                break
        return self._position

    def _end(self, text: str) -> NoReturn:
        raise self._refuse(text)


class ForwardTarInfo(tarfile.TarInfo):
    """What a tar read through a ForwardReader is made of."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Read the next member's headers."""
        with cast("ForwardReader", tarfile.fileobj).header():
            return super().fromtarfile(tarfile)
