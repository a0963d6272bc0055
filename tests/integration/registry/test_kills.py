"""Killed in the middle of pushes, again and again: what was acknowledged is there, whole, and nothing leaks.

`COGYARD_TEST_KILLS` says how often, on each side; a few times unless it is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cogyard.blobs.uploads import LocalUploads
from cogyard.registry.collection import collect
from cogyard.testing.blobs import digest_of
from cogyard.testing.local_registry import LocalRegistry
from cogyard.testing.pushing import IMAGE, SmallImage, small_image

KILLS = int(os.environ.get("COGYARD_TEST_KILLS", "5"))
ALICE = httpx2.BasicAuth("alice", "cyd_alice")


@contextmanager
def served(folder: Path) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """Run the registry over a folder; kill it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("serving.py")), str(folder), str(port)]
    with subprocess.Popen(command) as process:
        client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", auth=ALICE, timeout=20)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    client.get("/v2/")
                    break
                except httpx2.TransportError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield client, process
        finally:
            process.kill()
            client.close()


def push(client: httpx2.Client, image: SmallImage, tag: str) -> None:
    """Push as docker does: every blob in pieces, then the manifest."""
    for blob in (image.layer, image.config):
        where = client.post("/v2/alice/model/blobs/uploads/").raise_for_status().headers["location"]
        half = len(blob) // 2
        for part in (blob[:half], blob[half:]):
            client.patch(where, content=part).raise_for_status()
        client.put(f"{where}?digest={digest_of(blob)}").raise_for_status()
    address = f"/v2/alice/model/manifests/{tag}"
    client.put(address, content=image.manifest, headers={"Content-Type": IMAGE}).raise_for_status()


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 8)
def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Every tag resolves to a whole image, byte for byte, and those whose push was answered are all there."""
    chance = random.Random(7)  # noqa: S311 - for moments to kill at
    acknowledged: dict[str, SmallImage] = {}

    def keep_pushing(client: httpx2.Client, name: str) -> None:
        for number in range(1000):
            image = small_image(chance.randbytes(300_000), labels={"n": f"{name}-{number}"})
            try:
                push(client, image, f"{name}-{number}")
            except httpx2.TransportError:
                return
            acknowledged[f"{name}-{number}"] = image

    for kill in range(KILLS):
        with served(tmp_path) as (client, process):
            threads = [threading.Thread(target=keep_pushing, args=(client, f"t{kill}-{n}")) for n in range(2)]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.2, 0.8))
            process.kill()
            for thread in threads:
                thread.join()
    assert len(acknowledged) >= min(KILLS, 5)
    found = asyncio.run(audit(tmp_path))
    for tag, image in acknowledged.items():
        assert found["alice/model", tag] == image.digest


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 8)
def test_a_killed_client_leaves_nothing_that_stays(tmp_path: Path) -> None:
    """The registry goes on; what was answered is there, the rest is collected, and the next push is whole."""
    chance = random.Random(8)  # noqa: S311 - for moments to kill at
    acknowledged: dict[str, str] = {}
    program = str(Path(__file__).with_name("pushing.py"))
    with served(tmp_path / "registry") as (client, _):
        host = client.base_url.netloc.decode()
        for kill in range(KILLS):
            folder = tmp_path / "images"
            command = [sys.executable, program, host, "alice/model", str(folder)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                # The first push is waited for, so that the kill is in the middle of a later one.
                first = process.stdout.readline()
                time.sleep(chance.uniform(0.0, 0.25))
                process.kill()
                lines = [first, *process.stdout.read().splitlines()]
            acknowledged |= dict(line.split() for line in lines if len(line.split()) == 2)
            shutil.rmtree(folder)
            assert len(acknowledged) > kill
        listed = client.get("/v2/alice/model/tags/list").raise_for_status().json()["tags"]
        assert set(acknowledged) <= set(listed)
    found = asyncio.run(audit(tmp_path / "registry"))
    for tag, digest in acknowledged.items():
        assert found["alice/model", tag] == digest


async def audit(folder: Path) -> dict[tuple[str, str], str]:
    """Hold the folder of an ended registry to its word; return what its tags mean.

    Every tag resolves, every blob of a manifest has its digest; after a collection there is no other blob, no upload
    and no file on its way, and every tag still resolves.
    """
    behind = LocalRegistry.open(folder)
    try:
        found, needed = await _resolved(behind)
        later = datetime.now(UTC) + timedelta(days=2)
        uploads = LocalUploads(behind.blobs, clock=later.timestamp)
        await collect(behind.repositories, behind.blobs, uploads, now=later)
        assert await _resolved(behind) == (found, needed)
        kept = {f"sha256:{path.name}" for path in (folder / "blobs" / "blobs").rglob("*") if path.is_file()}
        assert kept == needed
        for left in ("tmp", "uploads"):
            assert list((folder / "blobs" / left).iterdir()) == []
    finally:
        behind.close()
    return found


async def _resolved(behind: LocalRegistry) -> tuple[dict[tuple[str, str], str], set[str]]:
    found, needed = {}, set()
    repository = "alice/model"
    for tag in await behind.repositories.tags(repository, limit=100_000, after=None):
        stored = await behind.repositories.manifest(repository, tag)
        assert stored is not None
        assert digest_of(stored.content) == stored.digest
        found[repository, tag] = stored.digest
        document = json.loads(stored.content)
        for each in (document["config"], *document["layers"]):
            path = behind.blobs.path(each["digest"])
            assert path is not None
            assert digest_of(path.read_bytes()) == each["digest"]
            assert await behind.repositories.blob_size(repository, each["digest"]) == each["size"]
            needed.add(each["digest"])
    return found, needed
