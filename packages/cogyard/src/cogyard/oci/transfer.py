"""Move whole images between the local store and a registry, several blobs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.config import ImageConfig
from cogyard.oci.descriptor import INDEX, INDEXES, MANIFEST, MANIFESTS, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import BlobMissingError, InvalidDocumentError, RegistryNotFoundError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import Index, Manifest, decode, decode_any, encode
from cogyard.oci.reference import Reference

T = TypeVar("T")

#: Blobs in flight at once. Chunks of one blob arrive in order, so speed comes from several blobs.
AT_ONCE = 4
#: A configuration document beyond this is not one.
_MAX_CONFIG = 4 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """One blob that has arrived, and how: present, mounted, uploaded or pulled."""

    descriptor: Descriptor
    how: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PulledImage:
    """An image whose parts are all in the store."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig


async def push_image(
    client: RegistryClient,
    store: ImageStore,
    image: StoredImage,
    target: Reference,
    on_moved: Callable[[Moved], None] | None = None,
    *,
    on_sent: Callable[[Descriptor, int], None] | None = None,
    tagged: bool = True,
) -> str:
    """Send an image to `target` and return its digest there. Blobs first, so that nothing half-sent has a name.

    Without `tagged` it is there under its digest alone, to be named by an index. `on_sent` hears how far the blobs are
    that are being sent, in bytes. A blob whose upload broke off, now or in an earlier run, goes on where it was.
    Raises BlobMissingError, RegistryError.
    """
    await _push_blobs(client, store, image.manifest, target, on_moved=on_moved, on_sent=on_sent)
    media_type = image.manifest.media_type or image.descriptor.media_type
    under = (target.tag or "latest") if tagged else image.descriptor.digest
    data = store.read(image.descriptor.digest)
    return await _push_document(client, data, media_type, target, under)


async def push_index(client: RegistryClient, store: ImageStore, index: Descriptor, target: Reference) -> str:
    """Name an index whose images are there already; return its digest."""
    return await _push_document(
        client, store.read(index.digest), index.media_type, target, target.tag or "latest"
    )


async def push_referrers(client: RegistryClient, store: ImageStore, subject: str, target: Reference) -> int:
    """Send what is attached to an image; return how many documents that were.

    A registry that lists no referrers gets the index that stands for the list (distribution 1.1, "referrers tag").
    """
    attached = store.referrers(subject)
    unlisted: list[Descriptor] = []
    for descriptor, manifest in attached:
        await _push_blobs(client, store, manifest, target)
        data = store.read(descriptor.digest)
        listed = await client.run(
            partial(flows.push_referrer, target.repository, descriptor.digest, data, descriptor.media_type),
            Scope(repository=target.repository, actions="pull,push"),
        )
        if not listed:
            unlisted.append(msgspec.structs.replace(descriptor, annotations=None))
    if unlisted:
        await _push_list(client, subject, unlisted, target)
    return len(attached)


async def _push_list(
    client: RegistryClient, subject: str, entries: list[Descriptor], target: Reference
) -> None:
    """Add entries to the index that stands for the list of referrers."""
    scope, tag = Scope(repository=target.repository, actions="pull,push"), subject.replace(":", "-")
    try:
        data, media_type = await client.run(partial(flows.pull_manifest, target.repository, tag), scope)
        document = decode_any(data, media_type, what=f"the referrers of {subject}")
        there = document.manifests if isinstance(document, Index) else []
    except RegistryNotFoundError:
        there = []
    every = {each.digest: each for each in [*there, *entries]}
    index = Index(schema_version=2, media_type=INDEX, manifests=list(every.values()))
    await client.run(partial(flows.push_manifest, target.repository, tag, encode(index), INDEX), scope)


async def _push_document(
    client: RegistryClient, data: bytes, media_type: str, target: Reference, under: str
) -> str:
    scope = Scope(repository=target.repository, actions="pull,push")
    return await client.run(lambda: flows.push_manifest(target.repository, under, data, media_type), scope)


async def _push_blobs(
    client: RegistryClient,
    store: ImageStore,
    manifest: Manifest,
    target: Reference,
    *,
    on_moved: Callable[[Moved], None] | None = None,
    on_sent: Callable[[Descriptor, int], None] | None = None,
) -> None:
    blobs = list({each.digest: each for each in [manifest.config, *manifest.layers]}.values())
    for blob in blobs:
        if not store.has(blob):
            raise BlobMissingError(f"the image store lacks {blob.digest}", hint="Build the image again.")
    scope = Scope(repository=target.repository, actions="pull,push")

    async def one(blob: Descriptor) -> None:
        sources = [
            name.removeprefix(f"{target.host}/")
            for name in reversed(store.origins(blob.digest))
            if name.startswith(f"{target.host}/") and name != target.name
        ][:2]
        scopes = [scope, *(Scope(repository=source) for source in sources)]
        path = store.path(blob.digest)
        pending = store.pending(blob.digest, target.name)
        how = await client.run(
            lambda: flows.push_blob(target.repository, blob, path, sources, pending),
            *scopes,
            on_sent=None if on_sent is None else partial(on_sent, blob),
        )
        store.add_origin(blob.digest, target.name)
        if on_moved is not None:
            on_moved(Moved(descriptor=blob, how=how))

    # The first blob alone: a refusal is said once, before anything large is sent.
    smallest = min(blobs, key=lambda each: each.size)
    await one(smallest)
    await each_of([blob for blob in blobs if blob is not smallest], one)


async def pull_image(
    client: RegistryClient,
    store: ImageStore,
    source: Reference,
    architecture: str,
    on_moved: Callable[[Moved], None] | None = None,
) -> PulledImage:
    """Fetch the image of `source` for linux on an architecture.

    Raises RegistryError; RegistryNotFoundError when there is none for the architecture.
    """
    data, media_type, document = await _manifest(client, source, architecture)
    what = source.familiar
    blobs = [document.config, *document.layers]

    async def one(blob: Descriptor) -> None:
        await client.pull_blob(source.repository, blob, store)
        store.add_origin(blob.digest, source.name)
        if on_moved is not None:
            on_moved(Moved(descriptor=blob, how="pulled"))

    await each_of({each.digest: each for each in blobs}.values(), one)
    config = decode(store.read(document.config.digest), ImageConfig, what=f"the configuration of {what}")
    if len(config.rootfs.diff_ids) != len(document.layers):
        raise InvalidDocumentError(
            f"{what} has {len(document.layers)} layers and {len(config.rootfs.diff_ids)} diffIDs"
        )
    store.write(data)
    kind = media_type if media_type in MANIFESTS else MANIFEST
    descriptor = Descriptor(media_type=kind, digest=of(data), size=len(data))
    return PulledImage(descriptor=descriptor, manifest=document, config=config)


async def look_at_image(client: RegistryClient, source: Reference, architecture: str) -> StoredImage:
    """Fetch what an image says of itself, and none of its layers.

    Raises RegistryError; RegistryNotFoundError when there is none for the architecture.
    """
    data, media_type, manifest = await _manifest(client, source, architecture)
    flow = partial(flows.pull_small, source.repository, manifest.config)
    text = await client.run(flow, Scope(repository=source.repository))
    config = decode(text, ImageConfig, what=f"the configuration of {source.familiar}")
    kind = media_type if media_type in MANIFESTS else MANIFEST
    descriptor = Descriptor(media_type=kind, digest=of(data), size=len(data))
    return StoredImage(name=source.familiar, descriptor=descriptor, manifest=manifest, config=config)


async def _manifest(
    client: RegistryClient, source: Reference, architecture: str
) -> tuple[bytes, str, Manifest]:
    scope = Scope(repository=source.repository)
    target, what = source.target, source.familiar
    for _ in range(2):  # an index, then a manifest; never deeper
        flow = partial(flows.pull_manifest, source.repository, target)
        data, media_type = await client.run(flow, scope)
        document = decode_any(data, media_type, what=f"the manifest of {what}")
        if isinstance(document, Manifest):
            break
        target = _choose(document, architecture, what).digest
    if not isinstance(document, Manifest):
        raise InvalidDocumentError(f"{what} is an index of indexes")
    if document.config.size > _MAX_CONFIG:
        raise InvalidDocumentError(f"the configuration of {what} has more than {_MAX_CONFIG} bytes")
    return data, media_type, document


async def each_of(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for each item, `AT_ONCE` at a time; the first failure ends them all."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with limit:
            await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _choose(index: Index, architecture: str, what: str) -> Descriptor:
    found = [
        each
        for each in index.manifests
        if each.media_type in MANIFESTS | INDEXES
        and each.platform is not None
        and (each.platform.os, each.platform.architecture) == ("linux", architecture)
    ]
    if not found:
        raise RegistryNotFoundError(f"{what} has no image for linux/{architecture}")
    return found[0]
