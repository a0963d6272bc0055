"""A file on a server, read in pieces: enough of a wheel to see what is in it, without fetching gigabytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

_BLOCK = 256 << 10
#: The list of files of the largest wheels takes two megabytes; what needs more than this is not worth it.
_MOST = 64


class NoRangesError(OSError):
    """A server does not give pieces of files, or too many would be needed."""


class RangedFile(io.RawIOBase):
    """A seekable file over HTTP range requests. Raises NoRangesError and httpx2.HTTPError from reads."""

    def __init__(self, url: str, client: httpx2.Client, login: tuple[str, str] | None = None) -> None:
        self._url, self._client, self._login = url, client, login
        self._blocks: dict[int, bytes] = {}
        self._at = 0
        self._size = self._learn_size()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is fetched for it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to a block's end."""
        if self._at >= self._size:
            return 0
        number, within = divmod(self._at, _BLOCK)
        data = self._block(number)[within : within + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _learn_size(self) -> int:
        answer = self._get("bytes=0-0")
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isdigit():
            raise NoRangesError("the size of the file is not told")
        return int(total)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= _MOST:
                raise NoRangesError("too much of the file would have to be read")
            last = min((number + 1) * _BLOCK, self._size) - 1
            self._blocks[number] = self._get(f"bytes={number * _BLOCK}-{last}").content
        return self._blocks[number]

    def _get(self, wanted: str) -> httpx2.Response:
        with self._client.stream("GET", self._url, headers={"Range": wanted}, auth=self._login) as answer:
            if answer.status_code != 206:  # the whole file is on its way: leave it
                raise NoRangesError(f"the server answered {answer.status_code} to a request for a part")
            answer.read()
            return answer
