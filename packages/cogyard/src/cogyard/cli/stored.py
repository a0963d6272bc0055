"""An image of the local store run without containers: its source unpacked, its environment made from its lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cogyard.cli.errors import CommandError
from cogyard.cli.local import embedded
from cogyard.cli.running import OnLog, RunningModel, Wish, tell_of_gpus
from cogyard.environment import LocalEnvironment, Lock, cache_dir, make_environment
from cogyard.image.build import local_store
from cogyard.instances.image import Image, read_image
from cogyard.instances.layers import LayerCache
from cogyard.instances.process import LOCK
from cogyard.instances.tree import assemble, share
from cogyard.oci.errors import ImageNotFoundError
from cogyard.oci.layout import ImageStore, StoredImage
from cogyard.oci.manifest import MAX_MANIFEST
from cogyard.oci.reference import Reference
from cogyard.weights.artifact import Artifact
from cogyard.weights.kept import local_files
from cogyard.weights.paths import in_project

if TYPE_CHECKING:
    from cogyard.cli.console import Console
    from cogyard.errors import CogyardError


@dataclass(frozen=True, kw_only=True)
class FoundImage:
    """An image of the local store."""

    wish: Wish
    store: ImageStore
    name: str
    image: Image
    document: Mapping[str, Any] | None
    weights: tuple[Artifact, ...] = ()
    undescribed: CogyardError | None = None

    @classmethod
    def read(cls, wish: Wish, console: Console) -> FoundImage:
        """Read the image's documents; raise CommandError when it cannot run without containers."""
        if wish.training:
            raise CommandError("a training runs from its project, not from an image")
        tell_of_gpus(wish, console)
        store = local_store()
        reference = Reference.parse(wish.image or "")
        try:
            stored = store.image(reference)
        except ImageNotFoundError as error:
            raise CommandError(
                f"there is no image {reference.familiar} in the local store, and no container engine is used "
                "that could pull it",
                hint="`cog images` lists what there is. Start Docker or podman to run images of registries.",
            ) from error
        manifest = store.read(stored.descriptor.digest)
        config = msgspec.json.decode(store.read(stored.manifest.config.digest))
        image = read_image(stored.descriptor.digest.removeprefix("sha256:"), manifest, config)
        if not image.of_kind("lock") or image.ref is None or image.python_version is None:
            raise CommandError(
                f"{stored.name} was not built by this project's `cog build`, so it runs in a container only",
                hint="Start Docker or podman, and say --engine auto.",
            )
        return cls(
            wish=wish,
            store=store,
            name=stored.name,
            image=image,
            document=_document(image.labels),
            weights=_weights(store, stored),
        )

    def prepare(self, console: Console) -> ReadyImage:
        """Unpack its layers and make its environment; both are kept for the next time."""
        from cogyard.cli.prepare import quiet_server

        quiet_server()
        text = f"Building environment from {self.name}"
        with console.working(text) as step:
            parts = asyncio.run(self._unpack())
            lock = (parts.lock / LOCK).read_text("utf-8", errors="replace")
            environment = make_environment(
                Lock(lock, self.image.python_version or "", None), on_progress=step.detail
            )
        console.done(f"{text}... Python {self.image.python_version}")
        project = self.wish.scratch / "project"
        assemble(parts.project, project)
        for each in self.weights:
            share(local_files().folder(each.files), project, in_project(each.target) or "")
        return ReadyImage(found=self, environment=environment, project=project)

    async def _unpack(self) -> Parts:
        root = cache_dir() / "layers"
        root.mkdir(parents=True, exist_ok=True)
        layers = LayerCache(root, _Blobs(self.store))
        lock = await layers.folder(self.image.of_kind("lock")[-1])
        project = [
            (await layers.folder(layer), layer.kind == "weights")
            for layer in self.image.of_kind("source", "weights")
        ]
        return Parts(lock=lock, project=tuple(project))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Unpacked layers: that of the lock, and those of the project with whether its files are shared."""

    lock: Path
    project: tuple[tuple[Path, bool], ...]


@dataclass(frozen=True, kw_only=True)
class ReadyImage:
    """An image's project and environment on this machine."""

    found: FoundImage
    environment: LocalEnvironment
    project: Path

    @property
    def label(self) -> str:
        """The environment's short name."""
        return f"environment {self.environment.root.name[:12]}"

    @property
    def variables(self) -> dict[str, str]:
        """The model's variables: its environment's, those of its cog.yaml, those of the command line."""
        import os

        listed = self.found.image.cog_config.get("environment")
        pairs = [str(item).partition("=") for item in listed] if isinstance(listed, list) else []
        own = {name: value for name, equals, value in pairs if name and equals}
        return {**self.environment.variables(os.environ), **own, **self.found.wish.variables}

    def start(self, on_log: OnLog) -> AbstractAsyncContextManager[RunningModel]:
        """Run it for the length of a block."""
        from cog_server.embedded import ModelOptions

        options = ModelOptions(
            python=self.environment.python,
            project=self.project,
            ref=self.found.image.ref,
            schema=self.found.document,
            concurrency=self.found.image.slots,
            setup_timeout=self.found.wish.setup_timeout,
            env=self.variables,
        )
        return embedded(options, on_log)


class _Blobs:
    """The store's blobs, as LayerCache asks for them."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def path(self, digest: str) -> Path | None:
        path = self._store.path(digest)
        return path if path.is_file() else None

    async def size(self, digest: str) -> int | None:
        path = self.path(digest)
        return None if path is None else path.stat().st_size

    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        path = self.path(digest)
        if path is None:
            raise KeyError(digest)
        yield path.read_bytes()[start:stop]

    async def write(self, *_: Any, **__: Any) -> tuple[str, int]:
        raise NotImplementedError

    async def delete(self, digest: str) -> None:
        raise NotImplementedError


def _weights(store: ImageStore, stored: StoredImage) -> tuple[Artifact, ...]:
    """Return the weights beside an image. Raises CommandError for those that a process cannot find."""
    from cogyard.cli.placing import beside_stored

    found = beside_stored(store, stored)
    for each in found:
        if in_project(each.target) is None:
            raise CommandError(
                f"the weights {each.name} belong at {each.target}, and a process has no such folder of its own",
                hint="Start Docker or podman, and say --engine auto.",
            )
    return found


def _document(labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    text = labels.get("run.cog.openapi_schema", "")
    if not text or len(text) > MAX_MANIFEST:
        return None
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
