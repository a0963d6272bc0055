"""What a registry lists and takes away: tags, referrers, content."""

from __future__ import annotations

import json

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.pushing import (
    IMAGE,
    INDEX,
    descriptor,
    push_blob,
    push_image,
    put_manifest,
    small_image,
)

from tests.unit.registry.conftest import ALICE, BOB, code

pytestmark = pytest.mark.anyio
DATA = bytes(range(256)) * 8


async def test_tags_come_in_pages(client: httpx2.AsyncClient) -> None:
    """`n` and `last`, with a link to the next page until there is none."""
    image = small_image()
    await push_image(client, "alice/model", image, "t0", auth=ALICE)
    for n in range(1, 5):
        await put_manifest(client, "alice/model", image.manifest, f"t{n}", auth=ALICE)
    seen: list[str] = []
    url = "/v2/alice/model/tags/list?n=2"
    while url:
        answer = await client.get(url, auth=ALICE)
        seen += answer.json()["tags"]
        link = answer.headers.get("link", "")
        url = link[1 : link.index(">")] if link else ""
    assert seen == [f"t{n}" for n in range(5)]
    assert (await client.get("/v2/alice/model/tags/list?n=0", auth=ALICE)).json()["tags"] == []
    assert (await client.get("/v2/alice/model/tags/list?n=-1", auth=ALICE)).status_code == 400


async def test_referrers_are_listed_and_filtered(client: httpx2.AsyncClient) -> None:
    """An index of what says that it is about a manifest; the push is told that its subject was understood."""
    image = small_image()
    await push_image(client, "alice/public", image, auth=ALICE)
    await push_blob(client, "alice/public", b"{}", auth=ALICE)
    sbom = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": "application/spdx+json",
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [],
            "subject": descriptor(image.manifest, IMAGE),
            "annotations": {"a": "b"},
        }
    ).encode()
    answer = await put_manifest(client, "alice/public", sbom, digest_of(sbom), auth=ALICE)
    assert answer.headers["oci-subject"] == image.digest
    url = f"/v2/alice/public/referrers/{image.digest}"
    found = await client.get(url)
    assert found.headers["content-type"] == INDEX
    (entry,) = found.json()["manifests"]
    assert entry == {
        "mediaType": IMAGE,
        "digest": digest_of(sbom),
        "size": len(sbom),
        "artifactType": "application/spdx+json",
        "annotations": {"a": "b"},
    }
    other = await client.get(url, params={"artifactType": "application/other"})
    assert other.json()["manifests"] == []
    assert other.headers["oci-filters-applied"] == "artifactType"
    assert (await client.get(f"/v2/alice/public/referrers/{digest_of(b'none')}")).json()["manifests"] == []


async def test_deleting_takes_away_names_then_content(client: httpx2.AsyncClient) -> None:
    """A tag, a manifest, a blob, in that order; what is needed stays."""
    image = small_image()
    await push_image(client, "alice/model", image, auth=ALICE)
    blob = f"/v2/alice/model/blobs/{digest_of(image.layer)}"
    answer = await client.delete(blob, auth=ALICE)
    assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
    for path in ("/v2/alice/model/manifests/latest", f"/v2/alice/model/manifests/{image.digest}", blob):
        assert (await client.delete(path, auth=BOB)).status_code == 403
        assert (await client.delete(path, auth=ALICE)).status_code == 202
        assert (await client.get(path, auth=ALICE)).status_code == 404
        assert (await client.delete(path, auth=ALICE)).status_code == 404
