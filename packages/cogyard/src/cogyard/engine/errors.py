"""What can go wrong with a container engine.

CogyardError
└── EngineError                the engine did not do what it was asked
    ├── EngineMissingError     there is none here, or not the one that was asked for
    ├── BuildFailedError       a step of a build ended with an error
    ├── ImageUnavailableError  it has no such image and could not get it
    └── ContainerError         a container did not start, or ended
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class EngineError(CogyardError):
    """The container engine did not do what it was asked."""

    code = "engine_failed"


class EngineMissingError(EngineError):
    """The container engine that was asked for is not here."""

    code = "engine_missing"


class BuildFailedError(EngineError):
    """A step of a build ended with an error; its last words are in the message."""

    code = "build_step_failed"


class ImageUnavailableError(EngineError):
    """The engine has no such image and could not get it."""

    code = "image_unavailable"


class ContainerError(EngineError):
    """A container did not start, or ended before its time."""

    code = "container_failed"
