"""A project of this machine, run as processes in an environment of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cogyard.cli.errors import CommandError
from cogyard.cli.prepare import Prepared, open_project, prepare, source_schema
from cogyard.cli.running import ModelFailedError, OnLog, RunningModel, Wish, tell_of_gpus
from cogyard.project import Project, ProjectError

if TYPE_CHECKING:
    from cog_server.embedded import ModelOptions

    from cogyard.cli.console import Console


@dataclass(frozen=True, kw_only=True)
class FoundProject:
    """The project of the current folder."""

    wish: Wish
    project: Project
    document: Mapping[str, Any] | None
    undescribed: ProjectError | None

    @classmethod
    def read(cls, wish: Wish, console: Console) -> FoundProject:
        """Read the project and what its source tells; raise CommandError when it has nothing to run."""
        project = runnable(wish, console)
        tell_of_gpus(wish, console)
        document, undescribed = source_schema(project, training=wish.training)
        return cls(wish=wish, project=project, document=document, undescribed=undescribed)

    def prepare(self, console: Console) -> ReadyProject:
        """Make the environment of cog.yaml."""
        return ReadyProject(found=self, prepared=prepare(self.project, console))


@dataclass(frozen=True, kw_only=True)
class ReadyProject:
    """A project whose environment is there."""

    found: FoundProject
    prepared: Prepared

    @property
    def label(self) -> str:
        """The environment's short name."""
        return f"environment {self.prepared.name}"

    def start(self, on_log: OnLog) -> AbstractAsyncContextManager[RunningModel]:
        """Run it for the length of a block."""
        from cog_server.embedded import ModelOptions

        wish, project = self.found.wish, self.prepared.project
        options = ModelOptions(
            python=self.prepared.environment.python,
            project=project.root,
            ref=project.ref,
            train_ref=project.train_ref,
            mode="train" if wish.training else "predict",
            schema=self.found.document,
            concurrency=project.config.concurrency.max,
            setup_timeout=wish.setup_timeout,
            env=self.prepared.variables(wish.variables),
        )
        return embedded(options, on_log)


def runnable(wish: Wish, console: Console) -> Project:
    """Read the project of the current folder; raise CommandError when it lacks what the command runs."""
    project = open_project(wish.filename, console)
    if wish.training and project.train_ref is None:
        raise CommandError(
            f"{wish.filename} has no `train`: there is nothing to train",
            hint='Add for example: train: "train.py:train"',
        )
    if not wish.training and project.ref is None:
        raise CommandError(
            f"{wish.filename} has no `predict` (or `run`): there is nothing to run",
            hint='Add for example: predict: "predict.py:Predictor"',
        )
    return project


@asynccontextmanager
async def embedded(options: ModelOptions, on_log: OnLog) -> AsyncIterator[RunningModel]:
    """Start a model in process; a setup that fails is the model's fault, in words."""
    from cog_server.embedded import Model
    from cog_server.errors import SetupFailedError

    starting = Model.start(options, on_log=on_log)
    try:
        model = await starting.__aenter__()
    except SetupFailedError as error:
        raise ModelFailedError(f"the model's setup failed: {error.message}", hint=error.hint) from error
    try:
        yield model
    finally:
        await starting.__aexit__(None, None, None)
