"""Send an image of the local store to a registry."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from cogyard.image.errors import ImageError
from cogyard.image.expected import kept
from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.errors import RegistryError
from cogyard.oci.exchange import Call, Flow
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.oci.settings import connect
from cogyard.oci.transfer import Moved, listed, push_image, push_index

if TYPE_CHECKING:
    from cogyard.weights.artifact import Artifact
    from cogyard.weights.transfer import Weights


class PushedImage(msgspec.Struct, frozen=True, kw_only=True):
    """Where the image is now. `page` is the model's page, where the registry belongs to a platform of ours."""

    reference: Reference
    digest: str
    uploaded: int
    """Bytes that had to be sent."""
    page: str | None


class Watcher(Protocol):
    """Hear how an image's blobs travel."""

    def sent(self, title: str, blob: Descriptor, position: int) -> None:
        """Hear how many bytes of a blob have been sent; after a break it may be fewer than before."""
        ...

    def done(self, title: str, blob: Descriptor, how: str) -> None:
        """Hear that a blob is there: `present`, `mounted` or `uploaded`."""
        ...


class _TokenPage(msgspec.Struct):
    url: str


async def check(client: RegistryClient, target: Reference) -> Callable[[], Coroutine[Any, Any, None]]:
    """Ask the registry whether we may push `target`, before work is done for it.

    What is returned tidies up after the question; it is not to be waited for. Raises RegistryError.
    """
    scope = Scope(repository=target.repository, actions="pull,push")
    place = await client.run(lambda: flows.probe(target.repository), scope)

    async def tidy() -> None:
        with suppress(RegistryError):
            await client.run(lambda: flows.take_back(target.repository, place), scope)

    return tidy


async def push(
    store: ImageStore,
    reference: Reference,
    target: Reference,
    *,
    client: RegistryClient | None = None,
    watcher: Watcher | None = None,
    there: Awaitable[frozenset[str]] | None = None,
) -> PushedImage:
    """Send the image `reference` of the store to `target`, for every platform it is there for, and what is attached.

    `client` talks to the target's registry, and stays open; without one, the kept credentials and settings are used.
    `there` is what `listed` gives, where that was asked already. Weights that come beside the image go first.
    Raises RegistryError, ImageNotFoundError; FilesMissingError for weights that neither the registry nor this machine
    has.
    """
    if target.digest is not None:
        raise ImageError(
            f"{target} names a digest; a push gives a tag", hint=f"Push to {target.name} instead."
        )
    images = store.images(reference)
    index = images[0].index
    titles = {each.digest: _title(each) for image in images for each in image.manifest.layers}
    artifacts = kept(store, images[0].beside)
    titles |= {layer.digest: _title_of(each, layer.digest) for each in artifacts for layer in each.layers}
    sent = 0

    def title(blob: Descriptor) -> str:
        return titles.get(blob.digest, "configuration")

    def on_moved(moved: Moved) -> None:
        nonlocal sent
        sent += moved.descriptor.size if moved.how == flows.UPLOADED else 0
        if watcher is not None:
            watcher.done(title(moved.descriptor), moved.descriptor, moved.how)

    def on_sent(blob: Descriptor, position: int) -> None:
        if watcher is not None:
            watcher.sent(title(blob), blob, position)

    with store.working():
        async with _opened(client, target) as registry:
            page = asyncio.ensure_future(_page(registry, target))
            try:
                if artifacts:
                    await _weights(store, on_moved, on_sent).push_all(registry, artifacts, target)
                named = await (there if there is not None else listed(registry, target))
                for image in images:
                    digest = await push_image(
                        registry, store, image, target, on_moved,
                        on_sent=on_sent, tagged=index is None, there=named,
                    )  # fmt: skip
                if index is not None:
                    digest = await push_index(registry, store, index, target)
                where = await page
            finally:
                page.cancel()
    return PushedImage(reference=target, digest=digest, uploaded=sent, page=where)


@asynccontextmanager
async def _opened(client: RegistryClient | None, target: Reference) -> AsyncIterator[RegistryClient]:
    if client is not None:
        yield client
        return
    async with connect(target.host, os.environ) as made:
        yield made


def _title(layer: Descriptor) -> str:
    notes = layer.annotations or {}
    return f"{notes.get('run.cog.layer', 'base')} {notes.get('run.cog.layer.title', '')}".strip()


def _title_of(artifact: Artifact, layer: str) -> str:
    within = [each.path for each in artifact.files if each.layer == layer]
    return f"weights {artifact.name} {within[0] if len(within) == 1 else f'{len(within)} files'}"


async def push_weights(
    store: ImageStore,
    artifacts: Sequence[Artifact],
    target: Reference,
    *,
    client: RegistryClient | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Send weights to the repository of `target`; return how many bytes had to be sent.

    Raises RegistryError; FilesMissingError for weights that neither the registry nor this machine has.
    """
    titles = {layer.digest: _title_of(each, layer.digest) for each in artifacts for layer in each.layers}
    sent = 0

    def on_moved(moved: Moved) -> None:
        nonlocal sent
        sent += moved.descriptor.size if moved.how == flows.UPLOADED else 0
        if watcher is not None:
            watcher.done(titles[moved.descriptor.digest], moved.descriptor, moved.how)

    def on_sent(blob: Descriptor, position: int) -> None:
        if watcher is not None:
            watcher.sent(titles[blob.digest], blob, position)

    with store.working():
        async with _opened(client, target) as registry:
            await _weights(store, on_moved, on_sent).push_all(registry, artifacts, target)
    return sent


def _weights(
    store: ImageStore, on_moved: Callable[[Moved], None], on_sent: Callable[[Descriptor, int], None]
) -> Weights:
    # Most images have no weights beside them, and importing this takes as long as a push of an edit.
    from cogyard.weights.kept import local_files
    from cogyard.weights.transfer import Weights

    return Weights(files=local_files(), store=store, on_moved=on_moved, on_sent=on_sent)


async def _page(client: RegistryClient, target: Reference) -> str | None:
    """Return the model's page: platforms of ours tell where people get tokens, and pages live beside that."""
    try:
        url = await client.run(token_page)
    except RegistryError:
        return None
    if url is None:
        return None
    where = urlsplit(url)
    return f"{where.scheme}://{where.netloc}/{target.repository}"


def token_page() -> Flow[str | None]:
    """Ask where a person gets a token; None from a registry that is not a platform like ours."""
    answer = yield Call(method="GET", url="/cog/v1/display-token-url", what="the token page", refusals=True)
    if answer.status != 200:
        return None
    try:
        page = msgspec.json.decode(answer.body, type=_TokenPage)
    except (msgspec.MsgspecError, RecursionError):
        return None
    where = urlsplit(page.url)
    return (
        page.url if where.scheme in {"http", "https"} and where.hostname and page.url.isprintable() else None
    )
