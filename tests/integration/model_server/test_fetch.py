"""Fetching an input over https, where several names stand for one address."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cog_server.errors import InputFetchError
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher

from tests.certificates import make_certificate

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a name; return what a server has, and what trusts it."""
    cert, key = make_certificate(folder, name, names=f"DNS:{name}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, ssl.create_default_context(cafile=str(cert))


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer every request and keep the connection; give the port, and the heads that came."""
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(ANSWER)
                await writer.drain()
        except (OSError, EOFError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


async def test_each_hosts_certificate_is_looked_at(tmp_path: Path) -> None:
    """Also where a connection to the same address is open already, that was made for another name."""
    context, trust = certified(tmp_path, "one.test")

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    fetcher = Fetcher(AddressRule(allow_private=True), resolver=resolve, trust=trust)
    async with serving(context) as (port, heads):
        found = await fetcher.fetch(f"https://one.test:{port}/a", tmp_path)
        assert found.read_bytes() == b"ok"
        with pytest.raises(InputFetchError):
            await fetcher.fetch(f"https://two.test:{port}/b", tmp_path)
        await fetcher.close()
    assert [head.split()[1] for head in heads] == [b"/a"]


async def test_a_name_cannot_change_its_mind(tmp_path: Path) -> None:
    """The connection goes to the address that was checked; a name server that answers otherwise later gains nothing."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return (
            ["127.0.0.1"]
            if asked.count(host) > 1
            else ["192.0.2.1" if host == "documentation.test" else "::1"]
        )

    fetcher = Fetcher(AddressRule(), resolver=rebinding)
    for host in ("documentation.test", "loopback.test"):
        for _ in range(2):
            with pytest.raises(InputFetchError, match="not on the public internet"):
                await fetcher.fetch(f"http://{host}/x", tmp_path)
    assert asked == ["documentation.test"] * 2 + ["loopback.test"] * 2
    await fetcher.close()
