"""What can go wrong between a version and its answer.

InstanceError
├── ImageRefusedError     the image cannot run here; the author or operator must change something
│   └── UnsafeLayerError  a layer holds something that may not be unpacked
│       └── LayerTooLargeError  it unpacks to more than there may be
├── PrepareFailedError    we could not make ready what the image needs; trying again may help
├── SetupFailedError      the model's setup() failed, ran out of time or died
│   └── SetupKilledError  somebody killed it: the kernel, or a person
├── NotAcceptedError      the model server did not take a prediction; the model never saw it
└── ServerLostError       the model server went away in the middle of a prediction
"""

from __future__ import annotations

from cogyard.errors import CogyardError


class InstanceError(CogyardError):
    """An instance could not do its work."""

    code = "instance_error"


class ImageRefusedError(InstanceError):
    """This version's image cannot run on this platform; starting it again will not help."""

    code = "image_refused"
    http_status = 422


class UnsafeLayerError(ImageRefusedError):
    """A layer holds a path, link, device or size that may not be unpacked."""

    code = "unsafe_layer"


class LayerTooLargeError(UnsafeLayerError):
    """A layer unpacks to more than the limit."""

    code = "layer_too_large"


class PrepareFailedError(InstanceError):
    """What the image needs could not be made ready on this machine."""

    code = "prepare_failed"
    http_status = 503


class SetupFailedError(InstanceError):
    """The model did not become ready. `logs` is what its setup printed."""

    code = "setup_failed"

    def __init__(self, message: str, *, hint: str | None = None, logs: str = "") -> None:
        """Keep the logs beside the reason."""
        super().__init__(message, hint=hint)
        self.logs = logs


class SetupKilledError(SetupFailedError):
    """The model server was killed from outside before the model was ready; trying again may help."""

    code = "setup_killed"


class NotAcceptedError(InstanceError):
    """The model server did not take the prediction: it may be given again without harm."""

    code = "not_accepted"
    http_status = 503


class ServerLostError(InstanceError):
    """The model server went away while it ran a prediction."""

    code = "server_lost"
    http_status = 502
