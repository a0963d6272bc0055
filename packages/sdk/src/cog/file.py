"""`File`: an input given as an open file. `Path` is the better choice for new models."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class File(io.IOBase):
    """An open binary file. As an input it is open for reading and closed after the prediction."""


class URLFile(io.RawIOBase):
    """A file given by address that is fetched when it is first read."""

    def __init__(self, url: str, filename: str | None = None) -> None:
        """Remember `url`; nothing is fetched before the first read."""
        super().__init__()
        self.url = url
        self.name = filename or url.rsplit("/", 1)[-1].partition("?")[0] or "file"
        self._open: io.BufferedReader | None = None

    def _file(self) -> io.BufferedReader:
        if self._open is None:
            from cog.path import URLPath

            self._open = URLPath.of(self.url).convert().open("rb")
        return self._open

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read again."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`; return the number of bytes."""
        return self._file().readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place in the file; return it."""
        return self._file().seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file().tell()

    def close(self) -> None:
        """Close the fetched file, if there is one."""
        if self._open is not None:
            self._open.close()
        super().close()
