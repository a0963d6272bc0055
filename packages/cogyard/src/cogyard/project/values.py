"""What cog.yaml says, as values: every key, with its default where it is left out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec


class SecretMount(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that one build command sees as a file."""

    id: str
    target: str


class RunCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A shell command of the build, run after the packages are installed."""

    command: str
    mounts: tuple[SecretMount, ...] = ()


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """The environment the model runs in."""

    python_version: str
    gpu: bool = False
    cuda: str | None = None
    cudnn: str | None = None
    python_requirements: str | None = None
    python_packages: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    run: tuple[RunCommand, ...] = ()
    pre_install: tuple[str, ...] = ()
    sdk_version: str | None = None


class Concurrency(msgspec.Struct, frozen=True, kw_only=True):
    """How many predictions one instance runs at a time."""

    max: int = 1
    default_target: int | None = None


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A managed set of weights: where it comes from and where it stands in the image."""

    name: str
    target: str
    source: Any


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole cog.yaml. `predict` stands for Cog's `run` key too: they are the same thing."""

    build: Build
    predict: str | None = None
    train: str | None = None
    image: str | None = None
    model: str | None = None
    concurrency: Concurrency = msgspec.field(default_factory=Concurrency)
    environment: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    weights: tuple[Weights, ...] = ()
    observability: Mapping[str, Any] | None = None

    def completed(self) -> dict[str, Any]:
        """Return cog.yaml as JSON values in Cog's form, for the label `run.cog.config`."""
        build: dict[str, Any] = {"python_version": self.build.python_version, "gpu": self.build.gpu}
        for key in ("cuda", "cudnn", "python_requirements", "sdk_version"):
            if (value := getattr(self.build, key)) is not None:
                build[key] = value
        for key in ("python_packages", "system_packages", "pre_install"):
            if value := getattr(self.build, key):
                build[key] = list(value)
        if self.build.run:
            build["run"] = [_command(command) for command in self.build.run]
        document: dict[str, Any] = {"build": build}
        for key in ("image", "model", "predict", "train"):
            if (value := getattr(self, key)) is not None:
                document[key] = value
        if self.concurrency != Concurrency():
            document["concurrency"] = {"max": self.concurrency.max}
            if self.concurrency.default_target is not None:
                document["concurrency"]["default_target"] = self.concurrency.default_target
        if self.environment:
            document["environment"] = [f"{name}={value}" for name, value in self.environment.items()]
        if self.weights:
            document["weights"] = [
                {"name": one.name, "target": one.target, "source": one.source} for one in self.weights
            ]
        if self.observability is not None:
            document["observability"] = dict(self.observability)
        return document


def version_of(text: str) -> tuple[int, ...]:
    """Return "3.11.4" as (3, 11, 4)."""
    return tuple(int(part) for part in text.split("."))


def _command(command: RunCommand) -> Any:
    if not command.mounts:
        return command.command
    mounts = [{"type": "secret", "id": mount.id, "target": mount.target} for mount in command.mounts]
    return {"command": command.command, "mounts": mounts}
