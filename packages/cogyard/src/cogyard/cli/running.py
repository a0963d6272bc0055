"""A model that a command runs, whichever way: from this folder or an image, as a process or in a container."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cogyard.cli.errors import CommandError

if TYPE_CHECKING:
    from cog_server.embedded import Event

    from cogyard.cli.console import Console
    from cogyard.errors import CogyardError

#: Receives what the model prints outside predictions: `stdout` or `stderr`, and text.
OnLog = Callable[[str, str], None]


class ModelFailedError(CommandError):
    """The model did not start."""

    code = "setup_failed"


class UndescribedError(CommandError):
    """Neither the source nor the running model tells what goes in and comes out."""

    code = "undescribed"


class RunningModel(Protocol):
    """A model whose setup() has succeeded."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The model's OpenAPI document; empty when it has none."""
        ...

    def predict(
        self, input: Mapping[str, Any], *, context: Mapping[str, str] | None = None
    ) -> AsyncIterator[Event]:
        """Run one prediction and yield what happens, `Completed` last. File inputs may be paths."""
        ...


class ReadyModel(Protocol):
    """A model with everything it needs on this machine, not started. `label` says where, for a message."""

    @property
    def label(self) -> str:
        """Where it will run, such as `environment 1a2b`."""
        ...

    def start(self, on_log: OnLog) -> AbstractAsyncContextManager[RunningModel]:
        """Run it for the length of a block; entered when setup() has succeeded. Raises ModelFailedError."""
        ...


class FoundModel(Protocol):
    """A model that is there and described, with nothing slow done yet."""

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The OpenAPI document; None when only the running model can tell it."""
        ...

    @property
    def undescribed(self) -> CogyardError | None:
        """Why there is no document."""
        ...

    def prepare(self, console: Console) -> ReadyModel:
        """Make ready what it needs, showing how it goes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line says about the model; `image` is None for the project of the current folder."""

    image: str | None = None
    filename: str = "cog.yaml"
    engine: str = "auto"
    gpus: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    setup_timeout: float | None = None
    training: bool = False
    #: A folder for files of this command, removed at its end.
    scratch: Path


def tell_of_gpus(wish: Wish, console: Console) -> None:
    """Say that an option for containers chooses nothing, where the model runs as processes."""
    if wish.gpus is not None:
        console.warn(
            "--gpus says nothing to processes: they see every GPU there is",
            "CUDA_VISIBLE_DEVICES chooses among them; --engine docker or podman runs a container.",
        )


def find_model(wish: Wish, console: Console) -> FoundModel:
    """Find the model that was asked for. Raises CogyardError subclasses that say what is wrong.

    `auto` runs a project as processes and an image in the engine that answers, else as processes too.
    """
    if wish.image is None:
        if wish.engine in {"auto", "none"}:
            from cogyard.cli.local import FoundProject

            return FoundProject.read(wish, console)
        from cogyard.cli.contained import found_project

        return found_project(wish, console)
    from cogyard import engine

    client = engine.find(wish.engine)
    if client is None:
        from cogyard.cli.stored import FoundImage

        return FoundImage.read(wish, console)
    from cogyard.cli.contained import found_image

    return found_image(wish, client, console)
