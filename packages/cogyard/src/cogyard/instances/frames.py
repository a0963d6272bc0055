"""Server-sent events as they come in pieces. Pure."""

from __future__ import annotations


class Frames:
    """Cuts a stream into events of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._returned = False

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return (name, data) of each event that is whole now. Raises ValueError past the limit."""
        if self._returned or b"\r" in data:
            data = self._lines(data)
        # Of what was there before, only its end can be the first half of the empty line that ends an event.
        look = max(len(self._rest) - 1, 0)
        self._rest += data
        end = self._rest.rfind(b"\n\n", look)
        if end < 0:
            if len(self._rest) > self._limit:
                raise ValueError(f"an event has more than {self._limit} bytes")
            return []
        whole = bytes(self._rest[:end])
        del self._rest[: end + 2]
        return [found for block in whole.split(b"\n\n") if (found := _event(block)) is not None]

    def _lines(self, data: bytes) -> bytes:
        """Return data with every end of a line spelled in one way; a return at its end may be half of one."""
        if self._returned:
            data = b"\r" + data
        self._returned = data.endswith(b"\r")
        if self._returned:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _event(block: bytes) -> tuple[str, bytes] | None:
    """Read one event; None for a comment alone, and for one without data."""
    name, data = b"message", list[bytes]()
    for line in block.split(b"\n"):
        field, colon, value = line.partition(b":")
        if colon and value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value or b"message"
    return (name.decode("utf-8", errors="replace"), b"\n".join(data)) if data else None
