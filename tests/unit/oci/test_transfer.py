"""A push of an image and of what is attached to it, to registries that differ in what they want first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import CONFIG, LAYER, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import RegistryFailedError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Manifest, describe
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import push_image

pytestmark = pytest.mark.anyio

TARGET = Reference.parse("a.b/me/m:v1")


def put_image(store: ImageStore) -> tuple[StoredImage, str]:
    """Keep an image with something attached to it; return it, and the digest of the attached manifest."""
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    layer = Descriptor(media_type=LAYER, digest=store.write(b"layer"), size=5)
    image, data = describe(
        Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[layer]), MANIFEST
    )
    store.write(data)
    store.tag(TARGET, image)
    note = Descriptor(media_type="text/plain", digest=store.write(b"note"), size=4)
    about = Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=[note], subject=image)
    store.attach(image.digest, [about])
    return store.image(TARGET), describe(about, MANIFEST)[0].digest


class Registry:
    """A registry in memory that notes which manifests it was given, and when they were under way together."""

    def __init__(self, *, subject_first: bool = False, refuse: str | None = None) -> None:
        self.subject_first = subject_first
        self.refuse = refuse
        self.manifests: list[str] = []
        self.under_way = 0
        self.most = 0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request, as a network does: a body is a stream, read once."""
        status, headers, body = await self._answer(request)

        async def stream() -> AsyncIterator[bytes]:
            yield body

        return httpx2.Response(status, headers=headers, content=stream())

    async def _answer(self, request: httpx2.Request) -> tuple[int, dict[str, str], bytes]:
        body = await request.aread()
        path, _, name = request.url.path.rpartition("/")
        if not path.endswith("/manifests"):
            return self._blob(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.under_way -= 1
        attached = b'"subject"' in body
        if name == self.refuse or (attached and self.subject_first and "v1" not in self.manifests):
            return 400, {}, b'{"errors": [{"code": "MANIFEST_INVALID", "message": "no"}]}'
        self.manifests.append(name)
        subject = {"OCI-Subject": "sha256:0"} if attached else {}
        return 201, {"Docker-Content-Digest": of(body), **subject}, b""

    def _blob(self, request: httpx2.Request) -> tuple[int, dict[str, str], bytes]:
        if request.method == "POST":
            return 202, {"Location": "/v2/me/m/blobs/uploads/1"}, b""
        return 404 if request.method == "HEAD" else 201, {}, b""


async def push(registry: Registry, store: ImageStore, image: StoredImage) -> str:
    """Push the image to the registry."""
    async with RegistryClient("a.b", transport=httpx2.MockTransport(registry)) as client:
        return await push_image(client, store, image, TARGET)


async def test_an_image_and_what_is_attached_to_it_are_named_at_once(tmp_path: Path) -> None:
    """No manifest waits for another one: all blobs are there."""
    image, attached = put_image(store := ImageStore(tmp_path))
    registry = Registry()
    assert await push(registry, store, image) == image.descriptor.digest
    assert sorted(registry.manifests) == sorted(["v1", attached])
    assert registry.most == 2


async def test_a_registry_may_want_the_image_first(tmp_path: Path) -> None:
    """What it refused because the image was still to come is put once more, after the image."""
    image, attached = put_image(store := ImageStore(tmp_path))
    registry = Registry(subject_first=True)
    await push(registry, store, image)
    assert registry.manifests == ["v1", attached]


async def test_what_cannot_be_attached_is_said(tmp_path: Path) -> None:
    """A registry that takes the image and refuses what is attached to it makes the push fail."""
    image, attached = put_image(store := ImageStore(tmp_path))
    with pytest.raises(RegistryFailedError):
        await push(Registry(refuse=attached), store, image)
