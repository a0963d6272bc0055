"""A small HTTP client over a Unix socket that can also leave at any moment, and a sink that counts webhooks."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, uds: Path) -> Line:
        """Connect."""
        return cls(*await asyncio.open_unix_connection(str(uds), limit=1 << 22))

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> None:
        """Send one request."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: model", f"content-length: {len(data)}"]
        if body is not None:
            lines.append("content-type: application/json")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the answer's first lines."""
        status = int((await self.reader.readuntil(b"\r\n"))[9:12])
        headers = {}
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    async def answer(self) -> Answer:
        """Read a whole answer."""
        status, headers = await self.head()
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = b"".join([chunk async for chunk in self.chunks()])
        return Answer(status, headers, body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Read a chunked body piece by piece."""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request and read its answer."""
        await self.send(method, path, body, **headers)
        return await self.answer()

    def leave(self) -> None:
        """Go away without a word."""
        self.writer.transport.abort()


class Sink:
    """Counts the `completed` webhooks of each prediction."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.statuses: dict[str, str] = {}
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take webhooks of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                size = int(head.partition("content-length:")[2].partition("\r")[0])
                told = json.loads(await reader.readexactly(size))
                if told["completed_at"]:
                    self.seen[told["id"]] += 1
                    self.statuses[told["id"]] = told["status"]
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    """Run a sink on a port of its own."""
    found = Sink()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield found
    finally:
        server.close()
