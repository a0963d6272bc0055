"""Images of registries: fetched into the local store, or only looked at."""

from __future__ import annotations

import os
from dataclasses import replace

from cogyard.image.progress import Progress, Silent
from cogyard.oci.client import RegistryClient
from cogyard.oci.errors import ImageNotFoundError, RegistryNotFoundError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.reference import DEFAULT_HOST, Reference
from cogyard.oci.settings import connect, mirrored
from cogyard.oci.transfer import Moved, look_at_image, pull_image


async def pull(
    store: ImageStore,
    reference: Reference,
    architecture: str,
    *,
    client: RegistryClient | None = None,
    progress: Progress | None = None,
) -> StoredImage:
    """Fetch an image into the store and name it; blobs that are here are not fetched again.

    Raises RegistryError and the store's errors; nothing is named then.
    """
    report, source = progress or Silent(), mirrored(reference, os.environ)

    def on_moved(moved: Moved) -> None:
        report.detail(f"{moved.descriptor.digest[7:19]} ({moved.descriptor.size / 1e6:.1f} MB)")

    with store.working():
        async with client or connect(source.host, os.environ) as registry:
            pulled = await pull_image(registry, store, source, architecture, on_moved)
        store.tag(reference, pulled.descriptor)
    return store.image(reference)


async def look_up(
    store: ImageStore, reference: Reference, architecture: str, *, remote: bool = False
) -> StoredImage:
    """Return what an image says of itself: of the local store, else (or only, when `remote`) of its registry.

    Raises ImageNotFoundError when neither has it, RegistryError.
    """
    missing: ImageNotFoundError | None = None
    if not remote:
        try:
            return store.image(reference)
        except ImageNotFoundError as error:
            if reference.host == DEFAULT_HOST:
                raise
            missing = error
    source = mirrored(reference, os.environ)
    try:
        async with connect(source.host, os.environ) as registry:
            return replace(await look_at_image(registry, source, architecture), name=reference.familiar)
    except RegistryNotFoundError:
        if missing is None:
            raise
        raise ImageNotFoundError(
            f"there is no image {reference.familiar} in the local store, and its registry has none either",
            hint="`cog images` lists what there is; a private image is shown only to those who are logged in.",
        ) from None


async def pushed(reference: Reference, architecture: str) -> StoredImage | None:
    """Return what the image of a registry says of itself; None when there is none.

    Raises RegistryError for any other answer.
    """
    async with connect(reference.host, os.environ) as registry:
        try:
            return await look_at_image(registry, reference, architecture)
        except RegistryNotFoundError:
            return None
