"""A registry whose certificate nobody here has signed, over a real connection."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from cogyard.oci.httpx_network import HttpxNetwork
from cogyard.oci.network import UntrustedError

from tests.certificates import make_certificate

pytestmark = pytest.mark.anyio


async def test_a_strangers_certificate_is_told_from_no_connection(tmp_path: Path) -> None:
    """What the library below raises for it is known by its kind, not by its words."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path, "stranger"))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    network = HttpxNetwork(trust_env=False)
    try:
        with pytest.raises(UntrustedError):
            async with network.send("GET", f"https://127.0.0.1:{port}/v2/", {}):
                pass
    finally:
        await network.close()
        server.close()
