"""Files whose connection breaks while they are read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from replicate import FileOutput, ReplicateError

from tests.unit.client.test_client import BASE, client_of

URL = f"{BASE}/delivery/a/b.bin"
CONTENT = bytes(range(256)) * 10


class Broken(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Gives some bytes, and then no more."""

    def __init__(self, content: bytes) -> None:
        """Give these."""
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        """Break after them."""
        yield self._content
        raise httpx2.ReadError("reset")

    async def __aiter__(self) -> Any:
        """Break after them."""
        for piece in self:
            yield piece


class Delivery:
    """Gives a file a thousand bytes at a time, each time breaking off."""

    def __init__(self, tag: str = '"1"', *, ranges: bool = True) -> None:
        """Have an ETag, and perhaps ranges."""
        self._tag, self._ranges = tag, ranges
        self.asked: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer with what is asked for, as far as it goes."""
        asked = request.headers.get("range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=")[:-1]) if asked and self._ranges else 0
        assert (asked is None) is (request.headers.get("if-range") is None)
        status, headers = 206 if asked and self._ranges else 200, {"etag": self._tag}
        part = CONTENT[start : start + 1000]
        if start + 1000 >= len(CONTENT):
            return httpx2.Response(status, headers=headers, content=part)
        return httpx2.Response(status, headers=headers, stream=Broken(part))


@pytest.mark.anyio
async def test_a_file_goes_on_where_its_connection_broke() -> None:
    """Each byte comes once, in both ways."""
    delivery = Delivery()
    file = FileOutput(URL, client_of(delivery))
    assert b"".join(file) == CONTENT
    assert delivery.asked == [None, "bytes=1000-", "bytes=2000-"]
    assert b"".join([piece async for piece in file]) == CONTENT


@pytest.mark.parametrize("delivery", [Delivery(tag=""), Delivery(tag='W/"1"'), Delivery(ranges=False)])
def test_what_cannot_be_gone_on_with_is_an_error(delivery: Delivery) -> None:
    """Without a strong ETag, or where the whole comes again: never half a file, and nothing twice."""
    pieces = iter(FileOutput(URL, client_of(delivery)))
    assert next(pieces) == CONTENT[:1000]
    with pytest.raises(ReplicateError):
        next(pieces)
