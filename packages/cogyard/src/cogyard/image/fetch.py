"""Images of registries: fetched into the local store, or only looked at."""

from __future__ import annotations

import os
from functools import partial

import msgspec

from cogyard.image.attached import attached_document, pull_attached
from cogyard.image.expected import index_of, keep
from cogyard.image.progress import Progress, Silent
from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import Descriptor, Platform
from cogyard.oci.errors import ImageNotFoundError, InvalidDocumentError, RegistryError, RegistryNotFoundError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Index, decode_any
from cogyard.oci.reference import DEFAULT_HOST, Reference
from cogyard.oci.settings import connect, mirrored
from cogyard.oci.transfer import Moved, look_at_image, pull_image
from cogyard.weights.artifact import Artifact, is_entry
from cogyard.weights.kept import local_files
from cogyard.weights.transfer import Weights, look


async def pull(
    store: ImageStore,
    reference: Reference,
    architecture: str,
    *,
    client: RegistryClient | None = None,
    progress: Progress | None = None,
) -> StoredImage:
    """Fetch an image into the store and name it, with the weights beside it and what is attached to it.

    What is here is not fetched again.

    Raises RegistryError and the store's errors; nothing is named then.
    """
    report, source = progress or Silent(), mirrored(reference, os.environ)

    def on_moved(moved: Moved) -> None:
        report.detail(f"{moved.descriptor.digest[7:19]} ({moved.descriptor.size / 1e6:.1f} MB)")

    with store.working():
        async with client or connect(source.host, os.environ) as registry:
            pulled = await pull_image(registry, store, source, architecture, on_moved)
            beside = [each for each in pulled.beside if is_entry(each)]
            weights = Weights(files=local_files(), store=store, on_moved=on_moved)
            try:
                await pull_attached(registry, store, source, pulled.descriptor.digest)
            except (RegistryError, InvalidDocumentError) as error:
                # The image is what was asked for, and it is here.
                report.warn(f"what is attached to {reference.familiar} was not fetched: {error.message}")
            artifacts = [await weights.pull(registry, source, each.digest, whole=True) for each in beside]
        name = pulled.descriptor
        if artifacts:
            where = Platform(os="linux", architecture=architecture)
            name = index_of(store, name, where, keep(store, artifacts))
        store.tag(reference, name)
    return store.image(reference)


async def pushed_document(reference: Reference, digest: str, kind: str) -> bytes | None:
    """Return the document of a kind that a registry lists for an image; None when it lists none.

    Raises RegistryError, InvalidDocumentError.
    """
    source = mirrored(reference, os.environ)
    async with connect(source.host, os.environ) as registry:
        return await attached_document(registry, source, digest, kind)


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
            return msgspec.structs.replace(
                await look_at_image(registry, source, architecture), name=reference.familiar
            )
    except RegistryNotFoundError:
        if missing is None:
            raise
        raise ImageNotFoundError(
            f"there is no image {reference.familiar} in the local store, and its registry has none either",
            hint="`cog images` lists what there is; a private image is shown only to those who are logged in.",
        ) from None


async def pull_weights(store: ImageStore, reference: Reference) -> tuple[Artifact, ...]:
    """Fetch the weights beside an image of a registry, and not the image; return them.

    Raises RegistryError, ArtifactInvalidError, and the store's errors.
    """
    source, weights = mirrored(reference, os.environ), Weights(files=local_files(), store=store)
    with store.working():
        async with connect(source.host, os.environ) as client:
            entries = await _entries(client, source)
            return tuple([await weights.pull(client, source, each.digest) for each in entries])


async def weights_beside(reference: Reference) -> list[Artifact]:
    """Return the weights that stand beside an image in a registry. Raises RegistryError, ArtifactInvalidError."""
    source = mirrored(reference, os.environ)
    async with connect(source.host, os.environ) as client:
        return [await look(client, source, each.digest) for each in await _entries(client, source)]


async def _entries(client: RegistryClient, source: Reference) -> list[Descriptor]:
    flow = partial(flows.pull_manifest, source.repository, source.target)
    data, media_type = await client.run(flow, Scope(repository=source.repository))
    document = decode_any(data, media_type, what=f"the manifest of {source.familiar}")
    return [each for each in document.manifests if is_entry(each)] if isinstance(document, Index) else []


async def pushed(reference: Reference, architecture: str) -> StoredImage | None:
    """Return what the image of a registry says of itself; None when there is none.

    Raises RegistryError for any other answer.
    """
    async with connect(reference.host, os.environ) as registry:
        try:
            return await look_at_image(registry, reference, architecture)
        except RegistryNotFoundError:
            return None
