"""Killed in the middle of pushes, again and again: what was acknowledged is there, and nothing else can be seen."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, SmallImage, small_image

KILLS = 6
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
    assert len(acknowledged) > KILLS
    with served(tmp_path) as (client, _):
        tags = client.get("/v2/alice/model/tags/list").raise_for_status().json()["tags"]
        assert set(acknowledged) <= set(tags)
        for tag in tags:
            manifest = client.get(f"/v2/alice/model/manifests/{tag}", headers={"Accept": IMAGE})
            assert digest_of(manifest.content) == manifest.headers["docker-content-digest"]
            document = manifest.json()
            for each in (document["config"], *document["layers"]):
                blob = client.get(f"/v2/alice/model/blobs/{each['digest']}").raise_for_status().content
                assert digest_of(blob) == each["digest"]
            if tag in acknowledged:
                assert manifest.content == acknowledged[tag].manifest
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []
