"""Blobs that leave by sendfile, over real connections: what a client sees is what it saw before."""

from __future__ import annotations

import os
import socket
import time
from base64 import b64encode
from pathlib import Path

import httpx2
import pytest
from cogyard.compose.pump import THREADS
from cogyard.compose.zerocopy import NAME, ZeroCopy
from cogyard.testing.blobs import digest_of
from starlette.types import Message, Receive, Scope, Send

from tests.integration.registry.conftest import Running

CONTENT = os.urandom(1 << 20) * 20
AUTH = ("alice", "cyd_alice")
#: Longer than any hand-over takes on a machine that is busy with other things.
PATIENCE = 20.0


def descriptors() -> int:
    """Return how many descriptors this process has, in which the registry runs as well."""
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture
def blob(registry: Running) -> str:
    """Have a blob of 20 MiB in alice/model; give its path."""
    digest = digest_of(CONTENT)
    registry.people.models["alice/model"] = True
    with httpx2.Client(base_url=registry.url, auth=AUTH, trust_env=False) as client:
        sent = client.post("/v2/alice/model/blobs/uploads/", params={"digest": digest}, content=CONTENT)
        assert sent.status_code == 201
    return f"/v2/alice/model/blobs/{digest}"


def test_whole_in_part_and_by_head(registry: Running, blob: str) -> None:
    """On one connection, one after another."""
    with httpx2.Client(base_url=registry.url, auth=AUTH, trust_env=False) as client:
        assert client.get(blob).content == CONTENT
        head = client.head(blob)
        assert (head.headers["content-length"], head.content) == (str(len(CONTENT)), b"")
        part = client.get(blob, headers={"Range": "bytes=1000000-9000000"})
        assert (part.status_code, part.content) == (206, CONTENT[1_000_000:9_000_001])
        assert client.get(blob, headers={"Range": "bytes=-1"}).content == CONTENT[-1:]
        assert client.get(blob.replace("model", "none")).status_code == 404


def test_requests_in_a_row_are_answered_in_a_row(registry: Running, blob: str) -> None:
    """A client may send the second before the first is answered; no byte of one gets into the other."""
    host, _, port = registry.host.partition(":")
    login = b64encode(":".join(AUTH).encode()).decode()
    request = f"GET {blob} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as peer:
        peer.sendall((f"{request}Range: bytes=0-3999999\r\n\r\n{request}Connection: close\r\n\r\n").encode())
        file = peer.makefile("rb")
        for expected in (CONTENT[:4_000_000], CONTENT):
            assert file.readline().split()[1] in {b"200", b"206"}
            while file.readline().strip():
                continue
            assert file.read(len(expected)) == expected
        assert file.read() == b""


def test_clients_that_go_leave_nothing_behind(registry: Running, blob: str) -> None:
    """Neither descriptors nor complaints, and the next one is served."""
    host, _, port = registry.host.partition(":")
    login = b64encode(":".join(AUTH).encode()).decode()
    with httpx2.Client(base_url=registry.url, auth=AUTH, trust_env=False) as client:
        for _ in range(THREADS):  # each has a descriptor of its own from its first transfer on
            client.get(blob)
        before = descriptors()
        for _ in range(10):
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as peer:
                peer.sendall(
                    f"GET {blob} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n".encode()
                )
                assert peer.recv(100).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + PATIENCE
        while descriptors() > before and time.monotonic() < deadline:
            assert client.get(blob).content == CONTENT
        assert descriptors() <= before


@pytest.mark.anyio
async def test_nothing_is_offered_that_cannot_be_done() -> None:
    """Behind another server than uvicorn, applications send bytes as ever."""
    offered: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        offered.append(NAME in (scope.get("extensions") or {}))
        await send({"type": "http.response.start", "status": 204})

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def into(message: Message) -> None:
        offered.append(message["status"])

    await ZeroCopy(app)({"type": "http", "extensions": None}, nothing, into)
    assert offered == [False, 204]
