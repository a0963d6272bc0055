"""Uploads over a connection that breaks: to ours no byte is sent twice but those on the way.

CNCF Distribution 2.8 refuses to go on with an upload that broke off in the middle of a request ("resumed at wrong
offset"); there the blob is sent anew, and arrives all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import RegistryFailedError
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import look_at_image, push_image

from tests.integration.oci.registries import distribution, put_image
from tests.integration.registry.conftest import Running, registry

__all__ = ["distribution", "registry"]

pytestmark = pytest.mark.anyio
ME = Credential(username="alice", password="cyd_alice")
#: What may be on the way when a connection breaks: socket buffers of both sides, and a piece in hand.
ON_THE_WAY = 6 << 20


@dataclass
class Wire:
    """A connection to a registry that breaks after so many bytes, so many times."""

    host: str
    after: int
    breaks: int
    through: int = 0
    port: int = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        host, _, port = self.host.partition(":")
        there, back = await asyncio.open_connection(host, int(port))

        async def answers() -> None:
            while data := await there.read(65536):
                writer.write(data)
                await writer.drain()

        task = asyncio.ensure_future(answers())
        carried = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                carried += len(data)
                if self.breaks and carried > self.after:
                    self.breaks -= 1
                    break
                self.through += len(data)
                back.write(data)
                await back.drain()
        task.cancel()
        back.close()
        writer.transport.abort()


@asynccontextmanager
async def wire(host: str, *, after: int, breaks: int) -> AsyncIterator[Wire]:
    """Stand between a client and a registry."""
    made = Wire(host, after, breaks)
    server = await asyncio.start_server(made.carry, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


async def at_once(_: float) -> None:
    """Wait for no time; the registry needs a moment to see that the client is gone."""
    await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Peer:
    """A registry, and whether it goes on with an upload that broke off."""

    host: str
    resumes: bool


@pytest.fixture(params=["ours", "CNCF Distribution"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Give each registry in turn."""
    if request.param == "ours":
        running: Running = request.getfixturevalue("registry")
        return Peer(running.host, resumes=True)
    return Peer(request.getfixturevalue("distribution"), resumes=False)


def large_image(store: ImageStore) -> tuple[Descriptor, int]:
    """Keep an image with a layer of 40 MiB under the name `hello`; return the layer, and the bytes of all."""
    image = put_image(store, content=os.urandom(40 << 20))
    return image.manifest.layers[0], image.manifest.size


async def test_a_broken_upload_goes_on(peer: Peer, tmp_path: Path) -> None:
    """Two breaks in one push: each costs what was on the way, and the person sees the position go on."""
    store, positions = ImageStore(tmp_path / "images"), list[int]()
    layer, size = large_image(store)
    async with wire(peer.host, after=15 << 20, breaks=2) as between:
        target = Reference.parse(f"127.0.0.1:{between.port}/alice/model:v1")
        async with RegistryClient(target.host, credential=ME, sleep=at_once) as client:
            await push_image(
                client, store, store.image(Reference.parse("hello")), target,
                on_sent=lambda blob, position: positions.append(position) if blob == layer else None,
            )  # fmt: skip
        assert between.breaks == 0
        async with RegistryClient(peer.host, credential=ME) as client:
            there = await look_at_image(client, Reference.parse(f"{peer.host}/alice/model:v1"), "amd64")
        assert layer in there.manifest.layers
        assert not peer.resumes or between.through < size + 2 * ON_THE_WAY
    assert positions[-1] == layer.size
    restarts = [later for earlier, later in pairwise(positions) if later < earlier]
    assert len(restarts) <= 2
    assert not peer.resumes or all(position > 8 << 20 for position in restarts)


async def test_a_push_that_failed_goes_on_when_it_is_called_again(peer: Peer, tmp_path: Path) -> None:
    """By another process, with another connection: the store remembers where."""
    store = ImageStore(tmp_path / "images")
    layer, size = large_image(store)
    async with wire(peer.host, after=20 << 20, breaks=5) as between:
        target = Reference.parse(f"127.0.0.1:{between.port}/alice/model:v1")

        async def attempt() -> None:
            async with RegistryClient(target.host, credential=ME, sleep=at_once) as client:
                await push_image(
                    client, ImageStore(store.root), store.image(Reference.parse("hello")), target
                )

        between.after = 4 << 20
        with pytest.raises(RegistryFailedError):
            await attempt()
        assert store.pending(layer.digest, target.name).find() is not None
        sent, between.breaks = between.through, 0
        await attempt()
        assert not peer.resumes or between.through - sent < size - (4 << 20)
        assert store.pending(layer.digest, target.name).find() is None
