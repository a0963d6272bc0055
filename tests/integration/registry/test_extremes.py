"""Very many tags, no room on the disk, names that lead elsewhere: answered, or refused with a clear error."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from cogyard.registry.ports import StoredManifest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, small_image

from tests.integration.registry.conftest import Running, running
from tests.small_disk import small_disk as mounted

TAGS = 10_000
ALICE = httpx2.BasicAuth("alice", "cyd_alice")


@pytest.fixture
def client(registry: Running) -> Iterator[httpx2.Client]:
    """Speak to a registry as alice."""
    with httpx2.Client(base_url=registry.url, auth=ALICE, timeout=60) as client:
        yield client


def push(client: httpx2.Client, name: str, content: bytes = b"layer", tag: str = "latest") -> httpx2.Response:
    """Push a small image; return the answer to its manifest."""
    image = small_image(content)
    for blob in (image.config, image.layer):
        client.post(f"/v2/{name}/blobs/uploads/?digest={digest_of(blob)}", content=blob).raise_for_status()
    path, kind = f"/v2/{name}/manifests/{tag}", {"Content-Type": IMAGE}
    return client.put(path, content=image.manifest, headers=kind)


def test_ten_thousand_tags_are_listed_found_and_deleted(registry: Running, client: httpx2.Client) -> None:
    """In pages that together have each tag once, in order; the manifest goes with all of them in one request."""
    push(client, "alice/model").raise_for_status()
    image = small_image(b"layer")
    names = sorted(f"build-{number:05}" for number in range(TAGS))
    stored = StoredManifest(
        repository="alice/model", digest=image.digest, media_type=IMAGE, content=image.manifest,
        created_at=datetime.now(UTC),
    )  # fmt: skip

    async def tag_all() -> None:
        await asyncio.gather(*(registry.behind.repositories.put_manifest(stored, tag=name) for name in names))

    asyncio.run(tag_all())
    found: list[str] = []
    path = "/v2/alice/model/tags/list"
    while path:
        answer = client.get(path)
        found += answer.json()["tags"]
        path = answer.headers.get("link", "").partition(">")[0].lstrip("<")
    assert found == [*names, "latest"]
    assert client.get("/v2/alice/model/manifests/build-07777").content == image.manifest
    assert client.delete(f"/v2/alice/model/manifests/{image.digest}").status_code == 202
    assert client.get("/v2/alice/model/manifests/build-00001").status_code == 404


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of six megabytes."""
    with mounted(tmp_path / "disk", "size=6m") as folder:
        yield folder


def test_a_full_disk_refuses_and_harms_nothing(full: Path) -> None:
    """507 in words, whichever way the blob comes; what is there is read on, and room given back is used."""
    with (
        running(full) as registry,
        httpx2.Client(base_url=registry.url, auth=ALICE, timeout=60) as client,
    ):
        push(client, "alice/model").raise_for_status()
        large = os.urandom(8 << 20)
        whole = client.post(f"/v2/alice/model/blobs/uploads/?digest={digest_of(large)}", content=large)
        where = client.post("/v2/alice/model/blobs/uploads/").headers["location"]
        for answer in (whole, client.patch(where, content=large)):
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["code"]) == (507, "STORAGE_FULL")
            assert "no room" in error["message"]
        assert list((full / "blobs" / "tmp").iterdir()) == []
        assert list((full / "blobs" / "uploads").iterdir()) == []
        assert client.get("/v2/alice/model/manifests/latest").status_code == 200
        assert push(client, "alice/model", b"small again", "again").status_code == 201


def test_a_full_disk_for_the_database_loses_no_manifest(full: Path) -> None:
    """A manifest that cannot be written down is not acknowledged, and can be once there is room."""
    with (
        running(full) as registry,
        httpx2.Client(base_url=registry.url, auth=ALICE, timeout=60) as client,
    ):
        push(client, "alice/model").raise_for_status()
        ballast = full / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        image = small_image(b"layer")
        answers = [
            client.put(
                f"/v2/alice/model/manifests/t{n}", content=image.manifest, headers={"Content-Type": IMAGE}
            )
            for n in range(400)
        ]
        ballast.unlink()
        kept = client.get("/v2/alice/model/tags/list").json()["tags"]
        acknowledged = {f"t{n}" for n, answer in enumerate(answers) if answer.status_code == 201}
        assert acknowledged | {"latest"} == set(kept)
        for answer in answers:
            assert answer.status_code in {201, 500, 507}, answer.text
            assert answer.status_code == 201 or answer.json()["errors"][0]["code"] in {
                "UNKNOWN",
                "STORAGE_FULL",
            }
        assert push(client, "alice/model", b"more", "more").status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        "/v2/alice/../bob/blobs/uploads/",
        "/v2/alice/%2e%2e/blobs/uploads/",
        "/v2/..%2f..%2fetc/passwd/blobs/uploads/",
        "/v2/alice/model%00/blobs/uploads/",
        "/v2/alice//model/blobs/uploads/",
        "/v2/alice/model/blobs/uploads/..%2f..%2ftmp",
        "/v2/alice/model/blobs/sha256:..%2f..%2f..%2fplatform.db",
        "/v2/alice/model/manifests/..%2f..%2fsecret",
        "/v2/alice/model/manifests/sha256:%2e%2e",
        "/v2/alice/model/tags/list/../../../../etc/passwd",
        "/v2/alice/m%C3%B6del/tags/list",
        f"/v2/alice/{'m' * 3000}/tags/list",
    ],
)
def test_names_that_lead_elsewhere_are_refused(registry: Running, path: str) -> None:
    """As sent on the wire, not as a tidy client would rewrite them: an error in the protocol's shape, and no file."""
    before = {each for each in registry.behind.folder.rglob("*") if each.is_file()}
    for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
        connection = http.client.HTTPConnection(registry.host, timeout=20)
        basic = b64encode(b"alice:cyd_alice").decode()
        connection.request(method, path, headers={"Authorization": f"Basic {basic}"})
        answer = connection.getresponse()
        body = answer.read()
        assert 400 <= answer.status < 500, (method, answer.status)
        if method != "HEAD":
            assert json.loads(body)["errors"][0]["message"]
        connection.close()
    assert {each for each in registry.behind.folder.rglob("*") if each.is_file()} - before == set()
