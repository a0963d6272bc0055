"""Containers on this machine, by the `docker` or `podman` command: found, given images, run, ended."""

from __future__ import annotations

from cogyard.engine.builder import Builder, builder_of
from cogyard.engine.client import CHOICES, Client, ImageFacts, find
from cogyard.engine.container import Container, Settings
from cogyard.engine.errors import (
    BuildFailedError,
    ContainerError,
    EngineError,
    EngineMissingError,
    ImageUnavailableError,
)

__all__ = [
    "CHOICES",
    "BuildFailedError",
    "Builder",
    "Client",
    "Container",
    "ContainerError",
    "EngineError",
    "EngineMissingError",
    "ImageFacts",
    "ImageUnavailableError",
    "Settings",
    "builder_of",
    "find",
]
