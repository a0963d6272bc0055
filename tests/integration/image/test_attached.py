"""What is attached to an image comes back from registries that really listen, and nothing else that is about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.image.attached import attached_document, pull_attached
from cogyard.image.attest import EMPTY_CONFIG, IN_TOTO, SPDX, artifact
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import push_image

from tests.integration.oci.registries import client, distribution, host, put_image
from tests.integration.registry.conftest import Running, registry

__all__ = ["Running", "distribution", "host", "registry"]

pytestmark = pytest.mark.anyio
CONTENTS, PROVENANCE, OTHER = b'{"spdxVersion":"SPDX-2.3"}', b'{"_type":"statement"}', b"somebody's remark"


def attested(store: ImageStore) -> StoredImage:
    """Keep an image with both documents, and a third of another kind, attached to it."""
    image = put_image(store, content=b"layer")
    store.write(EMPTY_CONFIG)
    documents = {SPDX: CONTENTS, IN_TOTO: PROVENANCE, "text/x-remark": OTHER}
    made = []
    for kind, data in documents.items():
        store.write(data)
        made.append(artifact(kind, data, image.descriptor, "title"))
    store.attach(image.descriptor.digest, made)
    return image


async def test_both_documents_come_back(host: str, tmp_path: Path) -> None:
    """Into another store, attached to the image as at its build, so that they can be sent on."""
    one, two = ImageStore(tmp_path / "1"), ImageStore(tmp_path / "2")
    image, target = attested(one), Reference.parse(f"{host}/alice/model")
    subject = image.descriptor.digest
    async with client(host) as registry:
        await push_image(registry, one, image, target)
        assert await attached_document(registry, target, subject, SPDX) == CONTENTS
        assert await attached_document(registry, target, subject, IN_TOTO) == PROVENANCE
        assert await attached_document(registry, target, f"sha256:{'0' * 64}", SPDX) is None
        await pull_attached(registry, two, target, subject)
        bare = put_image(one, "bare")
        await push_image(registry, one, bare, target)
        assert await attached_document(registry, target, bare.descriptor.digest, SPDX) is None
    found = {
        manifest.artifact_type: two.read(manifest.layers[0].digest) for _, manifest in two.referrers(subject)
    }
    assert found == {SPDX: CONTENTS, IN_TOTO: PROVENANCE}
