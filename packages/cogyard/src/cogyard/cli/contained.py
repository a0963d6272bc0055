"""A model in a container: an image of a registry or of this machine, ours or one that Cog made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogyard import engine
from cogyard.cli.errors import CommandError
from cogyard.cli.placing import beside_built, beside_image, options_for
from cogyard.cli.running import OnLog, RunningModel, Wish
from cogyard.errors import CogyardError

if TYPE_CHECKING:
    from cogyard.cli.console import Console
    from cogyard.project import Project

#: Seconds in which the last words of setup() come out of the engine.
_LATE = 0.05
#: NVIDIA's first card on Linux, and the GPU of Windows' Linux.
_GPU_DEVICES = (Path("/dev/nvidia0"), Path("/dev/dxg"))


@dataclass(frozen=True, kw_only=True)
class FoundContainer:
    """An image that an engine has, or a project of which it is to have one."""

    wish: Wish
    client: engine.Client
    image: str
    facts: engine.ImageFacts | None = None
    project: Project | None = None
    document: Mapping[str, Any] | None = None
    undescribed: CogyardError | None = None

    def prepare(self, console: Console) -> ReadyContainer:
        """Build and load the project's image; an image is there already."""
        facts, gpus = self.facts, self.wish.gpus
        if self.project is not None:
            facts = build_into(self.client, self.image, self.wish.filename, console)
            gpus = gpus or _gpus_of(self.project, console)
            weights = beside_built(self.image)
        else:
            weights = beside_image(self.image, facts, console)
        return ReadyContainer(
            wish=self.wish,
            client=self.client,
            image=self.image,
            gpus=gpus,
            document=self.document if facts is None or self.document is not None else facts.schema,
            ours=facts is not None and facts.is_ours,
            mounts=options_for(weights),
        )


@dataclass(frozen=True, kw_only=True)
class ReadyContainer:
    """An image that the engine has."""

    wish: Wish
    client: engine.Client
    image: str
    gpus: str | None
    document: Mapping[str, Any] | None
    ours: bool
    mounts: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The engine and the image."""
        return f"{self.client.name}, image {self.image}"

    def settings(self, publish: str = "127.0.0.1:0", upload_url: str | None = None) -> engine.Settings:
        """Return how the container is run."""
        env = {"LOG_FORMAT": "console", "COG_LOG_LEVEL": "warning", **self.wish.variables}
        command: tuple[str, ...] = ()
        direct: tuple[str, ...] = ()
        if not self.ours:
            address = publish.rpartition(":")[0].strip("[]")
            direct = ("python", "-m", "cog.server.http", "--host", address)
        if self.wish.setup_timeout is not None:
            env["COG_SETUP_TIMEOUT"] = f"{self.wish.setup_timeout:g}"
        if upload_url is not None:
            env["COG_UPLOAD_URL"] = upload_url
            if not self.ours:
                command = (
                    "python", "-m", "cog.server.http", "--host", "0.0.0.0", "--upload-url", upload_url,  # noqa: S104 - inside the container
                )  # fmt: skip
                direct += ("--upload-url", upload_url)
        return engine.Settings(
            host_command=direct,
            image=self.image,
            env=env,
            gpus=self.gpus,
            publish=publish,
            command=command,
            options=self.mounts,
        )

    def start(self, on_log: OnLog) -> AbstractAsyncContextManager[RunningModel]:
        """Run the container for the length of a block."""
        return self._start(on_log)

    @asynccontextmanager
    async def _start(self, on_log: OnLog) -> AsyncIterator[RunningModel]:
        from cogyard.cli.remote import RemoteModel

        gate = _Gate(on_log)
        async with engine.Container.run(self.client, self.settings(), gate) as container:
            model = RemoteModel(await container.address(), self.wish.scratch, self.document)
            try:
                await model.wait(container.check, setup_timeout=self.wish.setup_timeout)
                await asyncio.sleep(_LATE)
                gate.open = False
                yield model
            finally:
                await model.aclose()


class _Gate:
    """Pass on what a container writes until its model is ready; what predictions print comes with their events."""

    def __init__(self, on_log: OnLog) -> None:
        self._on_log = on_log
        self.open = True

    def __call__(self, source: str, text: str) -> None:
        """Take one piece of text."""
        if self.open:
            self._on_log(source, text)


def found_image(wish: Wish, client: engine.Client, console: Console) -> FoundContainer:
    """Find an image: in the engine, else in the local store, else in its registry."""
    image = wish.image or ""
    if wish.training:
        raise CommandError("a training runs from its project, not from an image")
    facts = client.image(image)
    if facts is None and (stored := load_stored(client, image, console)) is not None:
        image = stored
        facts = client.image(image)
    if facts is None:
        console.say(f"{client.name} has no image {image} yet; pulling it\n")
        client.pull(image)
        facts = client.image(image)
    if facts is not None and not facts.is_model:
        raise CommandError(
            f"{image} is not the image of a model: nothing in it says that Cog or Cogyard made it",
            hint="`cog images` lists the models built here.",
        )
    return FoundContainer(
        wish=wish, client=client, image=image, facts=facts, document=facts.schema if facts else None
    )


def found_project(wish: Wish, console: Console) -> FoundContainer:
    """Find the project of the current folder, to be run from its image."""
    from cogyard.cli.local import runnable
    from cogyard.cli.prepare import source_schema
    from cogyard.image.build import default_name
    from cogyard.project import NotInSourceError

    if wish.training:
        raise CommandError(
            "trainings run as processes", hint="Leave --engine out (or COG_ENGINE), or say --engine none."
        )
    client = required(wish.engine)
    project = runnable(wish, console)
    document, undescribed = source_schema(project)
    if undescribed is not None and not isinstance(undescribed, NotInSourceError):
        raise undescribed  # an image cannot be built without it
    return FoundContainer(
        wish=wish,
        client=client,
        image=project.image or default_name(project),
        project=project,
        document=document,
        undescribed=undescribed,
    )


def required(choice: str) -> engine.Client:
    """Return the engine that was named. Raises EngineMissingError."""
    client = engine.find(choice)
    if client is None:
        raise engine.EngineMissingError("no container engine answers on this machine")
    return client


def build_into(client: engine.Client, name: str, filename: str, console: Console) -> engine.ImageFacts | None:
    """Build the project's image and give it to the engine, where it does not have exactly this one."""
    from cogyard.cli.build import Wish as BuildWish
    from cogyard.cli.build import build_image
    from cogyard.image.build import local_store

    store = local_store()
    built = build_image(console, store, filename, BuildWish(tag=name, engine=client))
    stored = store.image(built.reference)
    facts = client.image(name)
    if facts is None or facts.id not in {stored.manifest.config.digest, stored.descriptor.digest}:
        _load(client, store, stored, console)
        facts = client.image(name)
    return facts


def load_stored(client: engine.Client, name: str, console: Console) -> str | None:
    """Give the engine an image of the local store and return its name; None when the store does not have it."""
    from cogyard.image.build import local_store
    from cogyard.oci.errors import ImageNotFoundError
    from cogyard.oci.reference import Reference

    store = local_store()
    try:
        stored = store.image(Reference.parse(name))
    except ImageNotFoundError:
        return None
    _load(client, store, stored, console)
    return stored.name


def _load(client: engine.Client, store: Any, stored: Any, console: Console) -> None:
    from cogyard.image.archive import write_archive

    with console.working(f"Giving {stored.name} to {client.name}"):
        client.load(lambda out: write_archive(store, stored, out))
    console.done(f"{client.name} has {stored.name}")


def _gpus_of(project: Project, console: Console) -> str | None:
    """Return all GPUs for a project that needs one, where this machine has any."""
    if not project.gpu:
        return None
    if any(device.exists() for device in _GPU_DEVICES):
        return "all"
    console.warn(
        "cog.yaml says gpu: true, and this machine shows no GPU; the container runs without",
        "An engine on another machine may have one: say --gpus all.",
    )
    return None
