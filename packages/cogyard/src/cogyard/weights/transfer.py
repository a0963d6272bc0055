"""Send weights to a registry and fetch them from one; only what the other side lacks, several layers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cogyard.oci import flows
from cogyard.oci.authorization import Scope
from cogyard.oci.client import RegistryClient
from cogyard.oci.descriptor import LAYER, MANIFEST, Descriptor
from cogyard.oci.exchange import Flow
from cogyard.oci.joined import Joined
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.oci.transfer import Moved, each_of
from cogyard.weights.artifact import Artifact, WeightFile, WeightLayer, config_of, read_artifact
from cogyard.weights.content import blob_of, is_its_file, layer_content
from cogyard.weights.errors import FilesMissingError
from cogyard.weights.files import WeightFiles
from cogyard.weights.unpack import take_layer

OnMoved = Callable[[Moved], None]
OnSent = Callable[[Descriptor, int], None]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights on this machine: whole files, and in the image store the layers of small ones."""

    files: WeightFiles
    store: ImageStore
    on_moved: OnMoved = field(default=lambda _moved: None)
    on_sent: OnSent | None = None
    on_file: Callable[[WeightFile], None] = field(default=lambda _file: None)

    async def push_all(
        self, client: RegistryClient, artifacts: Iterable[Artifact], target: Reference
    ) -> None:
        """Have artifacts in a repository, one after another, as `push` does."""
        for each in artifacts:
            await self.push(client, each, target)

    async def push(self, client: RegistryClient, artifact: Artifact, target: Reference) -> Descriptor:
        """Have an artifact in the repository of `target`, under its digest and its tag; layers before what names them.

        Raises RegistryError; FilesMissingError when neither side has a layer.
        """
        entry, scope = artifact.entry(), Scope(repository=target.repository, actions="pull,push")
        there = partial(flows.manifest_there, target.repository, entry.digest)
        data = artifact.manifest()
        if await client.run(there, scope):
            for each in artifact.layers:
                self.on_moved(Moved(descriptor=blob_of(each), how=flows.PRESENT))
        else:
            config, named = artifact.config(), config_of(data)
            await client.run(lambda: flows.push_blob(target.repository, named, config), scope)
            await each_of(artifact.layers, partial(self._push_layer, client, artifact, target))
        # Also when it is there: what is wanted again is not collected before the index names it.
        await client.run(
            lambda: flows.push_manifest(target.repository, artifact.tag(), data, MANIFEST), scope
        )
        return entry

    async def _push_layer(
        self, client: RegistryClient, artifact: Artifact, target: Reference, layer: WeightLayer
    ) -> None:
        blob, scope = blob_of(layer), Scope(repository=target.repository, actions="pull,push")
        if await client.run(partial(flows.blob_there, target.repository, layer.digest), scope):
            self.on_moved(Moved(descriptor=blob, how=flows.PRESENT))
            self.store.add_origin(layer.digest, target.name)
            return
        sources = [
            name.removeprefix(f"{target.host}/")
            for name in reversed(self.store.origins(layer.digest))
            if name.startswith(f"{target.host}/") and name != target.name
        ][:2]
        scopes = [scope, *(Scope(repository=source) for source in sources)]
        content = await asyncio.to_thread(self._content, artifact, layer)
        pending = self.store.pending(layer.digest, target.name)
        how = await client.run(
            lambda: flows.push_blob(target.repository, blob, content, sources, pending),
            *scopes,
            on_sent=None if self.on_sent is None else partial(self.on_sent, blob),
        )
        self.store.add_origin(layer.digest, target.name)
        self.on_moved(Moved(descriptor=blob, how=how))

    def _content(self, artifact: Artifact, layer: WeightLayer) -> Path | Joined:
        found = layer_content(artifact, layer, self.files, self.store)
        if found is None:
            first = next(each.path for each in artifact.files if each.layer == layer.digest)
            raise FilesMissingError(
                f"a layer of the weights {artifact.name} is neither in the registry nor on this machine, "
                f"with {first[:100]!r} in it",
                hint=f"cog weights import {artifact.name}",
            )
        return found

    async def pull(
        self, client: RegistryClient, source: Reference, digest: str, *, whole: bool = False
    ) -> Artifact:
        """Fetch the artifact of a digest: its documents, and the files that are not here yet.

        With `whole` every layer is kept that the files alone could not make again, so that it can be sent on.
        Raises RegistryError, ArtifactInvalidError, and the store's errors.
        """
        artifact = await look(client, source, digest)
        lacking = {each.layer for each in self.files.missing(artifact.files)}
        if whole:
            lacking |= {
                each.digest
                for each in artifact.layers
                if each.media_type != LAYER and not self.store.has(blob_of(each))
            }
        await each_of(
            [each for each in artifact.layers if each.digest in lacking],
            partial(self._pull_layer, client, artifact, source, whole=whole),
        )
        return artifact

    async def _pull_layer(
        self,
        client: RegistryClient,
        artifact: Artifact,
        source: Reference,
        layer: WeightLayer,
        *,
        whole: bool,
    ) -> None:
        blob, path = blob_of(layer), self.store.path(layer.digest)
        kept = self.store.has(blob)
        try:
            await client.pull_blob(source.repository, blob, self.store)
            await asyncio.to_thread(self._take, path, layer.digest, artifact)
            kept = kept or (whole and not await asyncio.to_thread(is_its_file, artifact, layer, path))
        finally:
            if not kept:  # the files are all that is wanted of it
                path.unlink(missing_ok=True)
        self.store.add_origin(layer.digest, source.name)
        self.on_moved(Moved(descriptor=blob, how="pulled"))

    def _take(self, path: Path, digest: str, artifact: Artifact) -> None:
        with path.open("rb") as stream:
            take_layer(stream, digest, artifact, self.files, self.on_file)


async def look(client: RegistryClient, source: Reference, digest: str) -> Artifact:
    """Fetch what an artifact says of itself, and none of its layers. Raises RegistryError, ArtifactInvalidError."""
    scope = Scope(repository=source.repository)
    data, _ = await client.run(partial(flows.pull_manifest, source.repository, digest), scope)
    config = await client.run(partial(flows.pull_small, source.repository, config_of(data)), scope)
    return read_artifact(data, config)


async def lacking(client: RegistryClient, artifact: Artifact, source: Reference) -> frozenset[str]:
    """Return the digests of what a registry lacks of an artifact: layers, the manifest. Raises RegistryError."""
    scope = Scope(repository=source.repository)
    found: set[str] = set()

    async def one(flow: Callable[[], Flow[bool]], digest: str) -> None:
        if not await client.run(flow, scope):
            found.add(digest)

    digest = artifact.entry().digest
    await one(partial(flows.manifest_there, source.repository, digest), digest)
    await each_of(
        artifact.layers,
        lambda each: one(partial(flows.blob_there, source.repository, each.digest), each.digest),
    )
    return frozenset(found)
