"""Broken connections, restarts and lies about sizes, over real sockets and a real folder."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
from cogyard.testing.blobs import digest_of

from tests.integration.registry.conftest import Running, running

ALICE = httpx2.BasicAuth("alice", "cyd_alice")
LARGE = hashlib.shake_256(b"layer").digest(5 * (1 << 20) + 3)


def client(registry: Running) -> httpx2.Client:
    """Return a client of alice's."""
    return httpx2.Client(base_url=registry.url, auth=ALICE, timeout=30)


def raw_request(registry: Running, head: str, body: bytes) -> socket.socket:
    """Send a request by hand, which need not be whole."""
    host, _, port = registry.host.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    lines = (head, f"Host: {registry.host}", "Authorization: Basic YWxpY2U6Y3lkX2FsaWNl")
    connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
    return connection


def until(met: Callable[[], bool]) -> None:
    """Wait until something has happened, in another thread of this process."""
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_upload_survives_a_restart(tmp_path: Path) -> None:
    """Half before, half after; the digest is that of both."""
    half = len(LARGE) // 2
    with running(tmp_path) as registry, client(registry) as alice:
        where = alice.post("/v2/alice/model/blobs/uploads/").headers["location"]
        assert alice.patch(where, content=LARGE[:half]).status_code == 202
    with running(tmp_path) as registry, client(registry) as alice:
        assert alice.get(where).headers["range"] == f"0-{half - 1}"
        rest = {"Content-Range": f"{half}-{len(LARGE) - 1}"}
        assert alice.patch(where, content=LARGE[half:], headers=rest).status_code == 202
        done = alice.put(where, params={"digest": digest_of(LARGE)})
        assert done.status_code == 201
        assert alice.get(done.headers["location"]).content == LARGE


def test_an_upload_goes_on_after_a_broken_connection(registry: Running) -> None:
    """What had come is kept, and told."""
    with client(registry) as alice:
        where = alice.post("/v2/alice/model/blobs/uploads/").headers["location"]
        broken = raw_request(
            registry,
            f"PATCH {where} HTTP/1.1\r\nContent-Length: {len(LARGE)}",
            LARGE[:3_000_000],
        )
        until(lambda: alice.get(where).headers["range"] != "0-0")
        broken.close()
        # The next request waits until the broken one has settled.
        answer = alice.patch(where, content=b"")
        held = int(answer.headers["range"].partition("-")[2]) + 1
        assert 0 < held <= 3_000_000
        rest = {"Content-Range": f"{held}-{len(LARGE) - 1}"}
        assert alice.patch(where, content=LARGE[held:], headers=rest).status_code == 202
        done = alice.put(where, params={"digest": digest_of(LARGE)})
        assert done.status_code == 201, done.text


def test_a_whole_blob_that_breaks_off_leaves_nothing(registry: Running) -> None:
    """Neither a blob nor a file on its way."""
    where = f"/v2/alice/model/blobs/uploads/?digest={digest_of(LARGE)}"
    connection = raw_request(
        registry, f"POST {where} HTTP/1.1\r\nContent-Length: {len(LARGE)}", LARGE[:2_000_000]
    )
    connection.close()
    with client(registry) as alice:
        assert alice.head(f"/v2/alice/model/blobs/{digest_of(LARGE)}").status_code == 404
        assert alice.get("/v2/").status_code == 200
    folder = registry.behind.folder / "blobs" / "tmp"
    until(lambda: not list(folder.iterdir()))


def test_a_reader_that_goes_away_does_no_harm(registry: Running) -> None:
    """The next one gets its blob."""
    with client(registry) as alice:
        alice.post("/v2/alice/model/blobs/uploads/", params={"digest": digest_of(LARGE)}, content=LARGE)
        for _ in range(5):
            connection = raw_request(registry, f"GET /v2/alice/model/blobs/{digest_of(LARGE)} HTTP/1.1", b"")
            connection.recv(100)
            connection.close()
        assert alice.get(f"/v2/alice/model/blobs/{digest_of(LARGE)}").content == LARGE


def test_a_manifest_survives_a_restart(tmp_path: Path) -> None:
    """What was answered with 201 is there afterwards."""
    manifest = b'{"schemaVersion":2,"manifests":[]}'
    index = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
    with running(tmp_path) as registry, client(registry) as alice:
        answer = alice.put("/v2/alice/model/manifests/latest", content=manifest, headers=index)
        assert answer.status_code == 201
    with running(tmp_path) as registry, client(registry) as alice:
        registry.people.models["alice/model"] = False
        assert alice.get("/v2/alice/model/manifests/latest").content == manifest


def test_huge_headers_and_paths_are_refused(registry: Running) -> None:
    """Without harm to the next request."""
    with client(registry) as alice:
        assert alice.get(f"/v2/{'a' * 20_000}/b/tags/list").status_code == 400
        assert alice.get("/v2/alice/model/tags/list", params={"last": "x" * 10_000}).status_code == 404
        assert alice.get("/v2/").status_code == 200


def test_a_client_that_stops_sending_is_let_go(tmp_path: Path) -> None:
    """With 408 and a closed connection; what it sent is kept, and others were served meanwhile."""
    with running(tmp_path, idle_seconds=0.3) as registry, client(registry) as alice:
        where = alice.post("/v2/alice/model/blobs/uploads/").headers["location"]
        connection = raw_request(registry, f"PATCH {where} HTTP/1.1\r\nContent-Length: 1000000", LARGE[:5000])
        assert alice.get("/v2/").status_code == 200
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        connection.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"TIMEOUT"' in answer
        assert alice.get(where).headers["range"] == "0-4999"


def test_many_readers_at_once_are_all_served(registry: Running) -> None:
    """Fifty of one layer, whole and without error."""
    with client(registry) as alice:
        alice.post("/v2/alice/model/blobs/uploads/", params={"digest": digest_of(LARGE)}, content=LARGE)

    def read(_: int) -> str:
        with client(registry) as reader:
            return digest_of(reader.get(f"/v2/alice/model/blobs/{digest_of(LARGE)}").content)

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(read, range(50))) == {digest_of(LARGE)}
