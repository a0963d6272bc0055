"""A client that pushes image after image until it is killed: `python pushing.py HOST REPOSITORY FOLDER`.

It writes a line for each push that was answered: tag and digest.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path

from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.config import ImageConfig, RootFs
from cogyard.oci.descriptor import CONFIG, LAYER_GZIP, MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Manifest, describe, encode
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import push_image

ME = Credential(username="alice", password="cyd_alice")


def make_image(store: ImageStore, name: str) -> StoredImage:
    """Keep an image of two random layers under a name."""
    contents = [os.urandom(1_500_000), os.urandom(1000)]
    layers = [
        Descriptor(media_type=LAYER_GZIP, digest=store.write(each), size=len(each)) for each in contents
    ]
    config = encode(
        ImageConfig(architecture="amd64", os="linux", rootfs=RootFs(diff_ids=[of(each) for each in contents]))
    )
    own = Descriptor(media_type=CONFIG, digest=store.write(config), size=len(config))
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=own, layers=layers)
    descriptor, data = describe(manifest, MANIFEST)
    store.write(data)
    store.tag(Reference.parse(name), descriptor)
    return store.image(Reference.parse(name))


async def main(host: str, repository: str, folder: Path) -> None:
    """Push until killed."""
    store = ImageStore(folder)
    while True:
        tag = secrets.token_hex(6)
        image = make_image(store, f"made:{tag}")
        async with RegistryClient(host, credential=ME) as client:
            target = Reference.parse(f"{host}/{repository}:{tag}")
            digest = await push_image(client, store, image, target)
        sys.stdout.write(f"{tag} {digest}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
