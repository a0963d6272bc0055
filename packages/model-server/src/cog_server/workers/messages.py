"""What the worker says about itself, as values."""

from __future__ import annotations

from typing import Any

import msgspec

from cog_server.errors import ProtocolError


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How many predictions the model takes at once, and the seconds the first of them may wait for others."""

    max_size: int
    max_wait: float

    def __post_init__(self) -> None:
        """Check. Raises ValueError, which the decoder tells."""
        if self.max_size < 1 or not 0 <= self.max_wait < float("inf"):
            raise ValueError("a batch has max_size from 1 up and max_wait from 0 up")


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """READY: what was loaded. Fields this release does not know are ignored."""

    protocol: int
    sdk: str = ""
    python: str = ""
    is_async: bool = False
    concurrency: int = 1
    streaming: bool = False
    iterator: bool = False
    healthcheck: bool = False
    batch: Batch | None = None
    schema: dict[str, Any] | None = None
    schema_error: str | None = None


class SetupFailed(msgspec.Struct, frozen=True):
    """SETUP_FAILED."""

    error: str


class Failed(msgspec.Struct, frozen=True):
    """FAILED."""

    error: str
    predict_time: float = 0.0


class Canceled(msgspec.Struct, frozen=True):
    """CANCELED."""

    predict_time: float = 0.0


class Metric(msgspec.Struct, frozen=True):
    """METRIC."""

    name: str
    value: Any = None
    mode: str = "replace"


class Health(msgspec.Struct, frozen=True):
    """HEALTH."""

    ok: bool
    error: str | None = None


_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Ready, SetupFailed, Failed, Canceled, Metric, Health)
}


def decode(kind: type, payload: bytes) -> Any:
    """Return the message of a payload. Raises ProtocolError when it does not fit."""
    try:
        return _DECODERS[kind].decode(payload)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise ProtocolError(f"a {kind.__name__} message that does not fit the protocol: {exc}") from exc
