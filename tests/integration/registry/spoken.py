"""Registries as their clients see them: ours and CNCF Distribution's, spoken to alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import IMAGE, SmallImage, descriptor, small_image

from tests.integration.registry.conftest import Running
from tests.integration.registry.test_parity import finished, peer

__all__ = ["peer"]

ABSENT = f"sha256:{'0' * 64}"
DATA = hashlib.shake_256(b"conformance").digest(70_000)
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Registry:
    """A registry as its clients see it."""

    http: httpx2.Client
    speaks_1_1: bool

    def send(self, method: str, path: str, **how: Any) -> httpx2.Response:
        """Send a request below /v2/, or to a Location."""
        return self.http.request(method, path if path.startswith(("/v2/", "http")) else f"/v2/{path}", **how)

    def blob(self, name: str, data: bytes) -> str:
        """Have a blob in a repository; return its digest."""
        begun = self.send("POST", f"{name}/blobs/uploads/")
        assert begun.status_code == 202
        done = self.send("PUT", finished(begun.headers["location"], digest_of(data)), content=data)
        assert done.status_code == 201
        return digest_of(data)

    def manifest(self, name: str, reference: str, content: bytes, kind: str = IMAGE) -> httpx2.Response:
        """Put a manifest."""
        headers = {"Content-Type": kind}
        return self.send("PUT", f"{name}/manifests/{reference}", content=content, headers=headers)

    def image(self, name: str, reference: str | None = None, content: bytes = b"layer") -> SmallImage:
        """Have an image in a repository."""
        image = small_image(content)
        for blob in (image.config, image.layer):
            self.blob(name, blob)
        assert self.manifest(name, reference or image.digest, image.manifest).status_code == 201
        return image

    def artifact(self, name: str, **fields: Any) -> tuple[str, httpx2.Response]:
        """Put an artifact manifest with no content but its fields; return its digest and the answer."""
        self.blob(name, EMPTY)
        document = {
            "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(EMPTY, EMPTY_TYPE),
            "layers": [descriptor(EMPTY, EMPTY_TYPE)], **fields,
        }  # fmt: skip
        content = json.dumps(document).encode()
        return digest_of(content), self.manifest(name, digest_of(content), content)


@pytest.fixture(params=["ours", "CNCF Distribution"])
def spoken(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """Give each registry in turn, with credentials."""
    ours = request.param == "ours"
    if ours:
        running: Running = request.getfixturevalue("registry")
        base = running.url
    else:
        base = request.getfixturevalue("peer")
    with httpx2.Client(base_url=base, auth=httpx2.BasicAuth("alice", "cyd_alice"), timeout=30) as http:
        yield Registry(http, speaks_1_1=ours)


@pytest.fixture
def modern(spoken: Registry) -> Registry:
    """Give a registry that speaks 1.1; Distribution 2.8 does not."""
    if not spoken.speaks_1_1:
        pytest.skip("CNCF Distribution 2.8 speaks 1.0")
    return spoken


def refused(answer: httpx2.Response, *statuses: int) -> str:
    """Hold a refusal to the errors' shape [error codes]; return its code."""
    assert answer.status_code in statuses, answer.text
    errors = answer.json()["errors"]
    assert all(isinstance(each["code"], str) and each["code"].isupper() for each in errors)
    assert all(isinstance(each.get("message", ""), str) for each in errors)
    return str(errors[0]["code"])
