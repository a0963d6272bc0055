"""Move whole images between the local store and a registry, several blobs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec

from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.config import ImageConfig
from cogyard.oci.descriptor import INDEX, INDEXES, MANIFEST, MANIFESTS, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import (
    BlobMissingError,
    BlobsLackingError,
    DigestMismatchError,
    InvalidDocumentError,
    RegistryDeniedError,
    RegistryError,
    RegistryNotFoundError,
)
from cogyard.oci.layout import ImageStore, StoredImage, is_image
from cogyard.oci.manifest import Index, Manifest, decode, decode_any, encode
from cogyard.oci.reference import Reference

T = TypeVar("T")

#: Blobs in flight at once. Chunks of one blob arrive in order, so speed comes from several blobs.
AT_ONCE = 4
#: A blob of at most so many bytes is sent without asking whether it is there, unless we sent it before.
SMALL = 64 << 10
#: Before a blob of so many bytes is sent, a small one is sent alone: a refusal is said once, and costs nothing.
_LARGE = 1 << 20
#: Images of an index that are looked at for what is there already.
_MOST_LISTED = 4
#: A configuration document beyond this is not one.
_MAX_CONFIG = 4 << 20


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One blob that has arrived, and how: present, mounted, uploaded or pulled."""

    descriptor: Descriptor
    how: str


class PulledImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image whose parts are all in the store."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    beside: tuple[Descriptor, ...] = ()
    """What stands in its index beside the images."""


async def listed(client: RegistryClient, target: Reference) -> frozenset[str]:
    """Return the digests of the blobs that what `target` names now is made of: the registry has those.

    Nothing where it names nothing, or where we may not read it.
    """
    scope = Scope(repository=target.repository, actions="pull,push")
    waiting, found = [target.tag or "latest"], set[str]()
    while waiting:
        try:
            data, kind = await client.run(
                partial(flows.pull_manifest, target.repository, waiting.pop()), scope
            )
            document = decode_any(data, kind, what=f"the manifest of {target.familiar}")
        except (RegistryNotFoundError, RegistryDeniedError, InvalidDocumentError, DigestMismatchError):
            continue
        if isinstance(document, Manifest):
            found.update(each.digest for each in [document.config, *document.layers])
        elif not found:  # an index; an index of indexes is not followed
            waiting += [each.digest for each in document.manifests if each.media_type in MANIFESTS][
                :_MOST_LISTED
            ]
    return frozenset(found)


async def push_image(
    client: RegistryClient,
    store: ImageStore,
    image: StoredImage,
    target: Reference,
    on_moved: Callable[[Moved], None] | None = None,
    *,
    on_sent: Callable[[Descriptor, int], None] | None = None,
    tagged: bool = True,
    there: frozenset[str] = frozenset(),
) -> str:
    """Send an image and what is attached to it to `target`; return its digest there.

    Blobs first, so that nothing half-sent has a name; then all manifests at once. Without `tagged` it is there under
    its digest alone, to be named by an index. `there` are blobs that need not be asked for (`listed`); when the
    registry lacks one all the same, every blob is asked for. `on_sent` hears how far the blobs are that are being
    sent, in bytes. A blob whose upload broke off, now or in an earlier run, goes on where it was.
    Raises BlobMissingError, RegistryError.
    """
    media_type = image.manifest.media_type or image.descriptor.media_type
    under = (target.tag or "latest") if tagged else image.descriptor.digest
    data = store.read(image.descriptor.digest)
    attached = [manifest for _, manifest in store.referrers(image.descriptor.digest)]
    sending = _Sending(client, store, target, on_moved, on_sent)
    await sending.blobs(image.manifest, *attached, there=there)
    beside = asyncio.ensure_future(_push_referrers(client, store, image.descriptor.digest, target))
    try:
        try:
            digest = await _push_document(client, data, media_type, target, under)
        except BlobsLackingError:
            await sending.blobs(image.manifest, *attached)
            digest = await _push_document(client, data, media_type, target, under)
        try:
            await beside
        except RegistryError:  # some may want what a manifest is about to be there before it
            await _push_referrers(client, store, image.descriptor.digest, target)
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
    return digest


async def push_index(client: RegistryClient, store: ImageStore, index: Descriptor, target: Reference) -> str:
    """Name an index whose images are there already; return its digest."""
    return await _push_document(
        client, store.read(index.digest), index.media_type, target, target.tag or "latest"
    )


async def _push_referrers(client: RegistryClient, store: ImageStore, subject: str, target: Reference) -> None:
    """Name what is attached to an image, whose blobs are there; the image may be still to come (distribution 1.1).

    A registry that lists no referrers gets the index that stands for the list (distribution 1.1, "referrers tag").
    """
    scope = Scope(repository=target.repository, actions="pull,push")
    unlisted: list[Descriptor] = []

    async def one(descriptor: Descriptor) -> None:
        data = store.read(descriptor.digest)
        flow = partial(flows.push_referrer, target.repository, descriptor.digest, data, descriptor.media_type)
        if not await client.run(flow, scope):
            unlisted.append(msgspec.structs.replace(descriptor, annotations=None))

    attached = [descriptor for descriptor, _ in store.referrers(subject)]
    await each_of(attached, one)
    if unlisted:
        unlisted.sort(key=lambda each: each.digest)
        await _push_list(client, subject, unlisted, target)


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


class _Sending(msgspec.Struct, frozen=True):
    """The blobs of one push."""

    client: RegistryClient
    store: ImageStore
    target: Reference
    on_moved: Callable[[Moved], None] | None
    on_sent: Callable[[Descriptor, int], None] | None

    async def blobs(self, image: Manifest, *attached: Manifest, there: frozenset[str] = frozenset()) -> None:
        """Have the blobs of the manifests in the repository; those of the image are told of."""
        own = {each.digest: each for each in [image.config, *image.layers]}
        every = {each.digest: each for one in attached for each in [one.config, *one.layers]} | own
        for blob in every.values():
            if not self.store.has(blob):
                raise BlobMissingError(f"the image store lacks {blob.digest}", hint="Build the image again.")

        async def one(blob: Descriptor) -> None:
            await self._blob(blob, told=blob.digest in own, there=blob.digest in there)

        waiting = sorted(every.values(), key=lambda each: each.size)
        if any(blob.size >= _LARGE and blob.digest not in there for blob in waiting):
            await one(waiting.pop(0))
        await each_of(waiting, one)

    async def _blob(self, blob: Descriptor, *, told: bool, there: bool) -> None:
        target, how = self.target, flows.PRESENT
        if not there:
            how = await self._push(blob, told=told)
        self.store.add_origin(blob.digest, target.name)
        if told and self.on_moved is not None:
            self.on_moved(Moved(descriptor=blob, how=how))

    async def _push(self, blob: Descriptor, *, told: bool) -> str:
        target, origins = self.target, self.store.origins(blob.digest)
        sources = [
            name.removeprefix(f"{target.host}/")
            for name in reversed(origins)
            if name.startswith(f"{target.host}/") and name != target.name
        ][:2]
        scope = Scope(repository=target.repository, actions="pull,push")
        path = self.store.path(blob.digest)
        pending = self.store.pending(blob.digest, target.name) if blob.size > SMALL else None
        ask = blob.size > SMALL or target.name in origins
        return await self.client.run(
            lambda: flows.push_blob(target.repository, blob, path, sources, pending, ask=ask),
            *(scope, *(Scope(repository=source) for source in sources)),
            on_sent=partial(self.on_sent, blob) if told and self.on_sent is not None else None,
        )


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
    data, media_type, document, beside = await _manifest(client, source, architecture)
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
    return PulledImage(descriptor=descriptor, manifest=document, config=config, beside=beside)


async def look_at_image(client: RegistryClient, source: Reference, architecture: str) -> StoredImage:
    """Fetch what an image says of itself, and none of its layers.

    Raises RegistryError; RegistryNotFoundError when there is none for the architecture.
    """
    data, media_type, manifest, beside = await _manifest(client, source, architecture)
    flow = partial(flows.pull_small, source.repository, manifest.config)
    text = await client.run(flow, Scope(repository=source.repository))
    config = decode(text, ImageConfig, what=f"the configuration of {source.familiar}")
    kind = media_type if media_type in MANIFESTS else MANIFEST
    descriptor = Descriptor(media_type=kind, digest=of(data), size=len(data))
    return StoredImage(
        name=source.familiar, descriptor=descriptor, manifest=manifest, config=config, beside=beside
    )


async def _manifest(
    client: RegistryClient, source: Reference, architecture: str
) -> tuple[bytes, str, Manifest, tuple[Descriptor, ...]]:
    scope = Scope(repository=source.repository)
    target, what = source.target, source.familiar
    beside: tuple[Descriptor, ...] = ()
    for _ in range(2):  # an index, then a manifest; never deeper
        flow = partial(flows.pull_manifest, source.repository, target)
        data, media_type = await client.run(flow, scope)
        document = decode_any(data, media_type, what=f"the manifest of {what}")
        if isinstance(document, Manifest):
            break
        target = _choose(document, architecture, what).digest
        beside = tuple(each for each in document.manifests if not is_image(each))
    if not isinstance(document, Manifest):
        raise InvalidDocumentError(f"{what} is an index of indexes")
    if document.config.size > _MAX_CONFIG:
        raise InvalidDocumentError(f"the configuration of {what} has more than {_MAX_CONFIG} bytes")
    return data, media_type, document, beside


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
        if (each.media_type in INDEXES or is_image(each))
        and each.platform is not None
        and (each.platform.os, each.platform.architecture) == ("linux", architecture)
    ]
    if not found:
        raise RegistryNotFoundError(f"{what} has no image for linux/{architecture}")
    return found[0]
