"""The same requests to our registry and to CNCF Distribution, Debian's docker-registry, answered alike."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, INDEX, small_image, small_index

from tests.integration.registry.conftest import Running

pytestmark = pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="docker-registry is not installed"
)
DATA = hashlib.shake_256(b"parity").digest(100_000)
# What a client may rely on in an answer; the rest (dates, servers, lengths of refusals) is each one's own.
HEADERS = ("docker-content-digest", "range", "content-range", "docker-distribution-api-version")


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[str]:
    """Run CNCF Distribution; return its address."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    config = tmp_path / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'peer'}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx2.get(f"http://127.0.0.1:{port}/v2/")
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(20)


def essence(answer: httpx2.Response) -> dict[str, object]:
    """Return what both must have in common."""
    found: dict[str, object] = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    found["status"] = answer.status_code
    if answer.status_code >= 400 and answer.content:
        found["codes"] = {each["code"] for each in answer.json()["errors"]}
    elif answer.request.method == "GET":
        found["body"] = answer.content
        found["type"] = answer.headers.get("content-type", "").partition(";")[0]
    return found


def finished(where: str, digest: str) -> str:
    """Return the address that ends an upload; the one given may have a query already."""
    return str(httpx2.URL(where).copy_merge_params({"digest": digest}))


def story(base: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Go through a repository's life; yield each step's name and what came of it."""
    auth = httpx2.BasicAuth("alice", "cyd_alice")
    image, digest = small_image(), digest_of(DATA)
    repo = "/v2/alice/model"
    with httpx2.Client(base_url=base, auth=auth, timeout=30) as client:

        def step(name: str, method: str, path: str, **how: object) -> tuple[str, dict[str, object]]:
            answer = client.request(method, path, **how)  # type: ignore[arg-type]  # as request() takes them
            last[0] = answer
            return name, essence(answer)

        last = [httpx2.Response(200)]
        yield step("base", "GET", "/v2/")
        yield step("absent blob", "HEAD", f"{repo}/blobs/{digest}")
        yield step("absent manifest", "GET", f"{repo}/manifests/latest")
        yield step("bad digest", "GET", f"{repo}/blobs/sha256:xyz")
        yield step("begin", "POST", f"{repo}/blobs/uploads/")
        where = last[0].headers["location"]
        yield step("first piece", "PATCH", where, content=DATA[:40_000], headers={"Content-Range": "0-39999"})
        where = last[0].headers["location"]
        yield step("status", "GET", where)
        rest = {"Content-Range": "40000-99999"}
        yield step("second piece", "PATCH", where, content=DATA[40_000:], headers=rest)
        where = last[0].headers["location"]
        yield step("finish", "PUT", finished(where, digest))
        yield step("blob head", "HEAD", f"{repo}/blobs/{digest}")
        yield step("blob", "GET", f"{repo}/blobs/{digest}")
        yield step("part", "GET", f"{repo}/blobs/{digest}", headers={"Range": "bytes=100-199"})
        params = {"mount": digest, "from": "alice/model"}
        yield step("mount", "POST", "/v2/alice/other/blobs/uploads/", params=params)
        yield step("mounted", "HEAD", f"/v2/alice/other/blobs/{digest}")
        yield step("begin to cancel", "POST", f"{repo}/blobs/uploads/")
        where = last[0].headers["location"]
        yield step("cancel", "DELETE", where)
        yield step("cancelled", "GET", where)
        kind = {"Content-Type": IMAGE}
        yield step("early manifest", "PUT", f"{repo}/manifests/v1", content=image.manifest, headers=kind)
        for blob in (image.config, image.layer):
            yield step("begin", "POST", f"{repo}/blobs/uploads/")
            where = last[0].headers["location"]
            yield step("whole", "PUT", finished(where, digest_of(blob)), content=blob)
        yield step("manifest", "PUT", f"{repo}/manifests/v1", content=image.manifest, headers=kind)
        accept = {"Accept": f"{IMAGE},{INDEX}"}
        yield step("by tag", "GET", f"{repo}/manifests/v1", headers=accept)
        yield step("by digest", "GET", f"{repo}/manifests/{image.digest}", headers=accept)
        yield step("head", "HEAD", f"{repo}/manifests/v1", headers=accept)
        index = small_index([(image, "amd64")])
        yield step("index", "PUT", f"{repo}/manifests/all", content=index, headers={"Content-Type": INDEX})
        yield step("index by tag", "GET", f"{repo}/manifests/all", headers=accept)
        yield step("not a manifest", "PUT", f"{repo}/manifests/x", content=b"{", headers=kind)
        other = f"sha256:{'0' * 64}"
        yield step("other digest", "PUT", f"{repo}/manifests/{other}", content=image.manifest, headers=kind)
        listed = client.get(f"{repo}/tags/list").json()
        yield "tags", {"name": listed["name"], "tags": sorted(listed["tags"])}
        yield step("delete index", "DELETE", f"{repo}/manifests/{digest_of(index)}")
        yield step("delete image", "DELETE", f"{repo}/manifests/{image.digest}")
        yield step("deleted", "GET", f"{repo}/manifests/{image.digest}", headers=accept)
        yield step("delete blob", "DELETE", f"{repo}/blobs/{digest}")
        yield step("deleted blob", "HEAD", f"{repo}/blobs/{digest}")


def test_both_answer_alike(registry: Running, peer: str) -> None:
    """Step by step: status, codes, bodies, types and the headers that clients read."""
    ours, theirs = dict_of(story(registry.url)), dict_of(story(peer))
    different = {
        name: json.dumps({"ours": ours[name], "theirs": theirs[name]}, default=repr)[:600]
        for name in ours
        if ours[name] != theirs[name]
    }
    assert different == {}


def dict_of(steps: Iterator[tuple[str, dict[str, object]]]) -> dict[str, dict[str, object]]:
    """Number steps of the same name."""
    return {f"{number}. {name}": found for number, (name, found) in enumerate(steps)}
