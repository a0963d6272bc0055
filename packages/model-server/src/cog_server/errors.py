"""Every error of this package.

ServerError
├── InputInvalidError      the caller's input does not fit the model's schema
├── InputFetchError        the caller's file could not be had
├── RequestError           the caller's request is malformed
├── ConflictError          the id is running with another input
├── BusyError              slots and queue are full
├── UnknownPredictionError no such prediction (any more)
├── NotReadyError          the model is not (or no longer) able to run predictions
├── SetupFailedError       the model's setup() failed
├── OutputError            the model's output could not be delivered
├── ProtocolError          the worker broke the worker protocol
└── StartError             the server itself cannot start
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class ServerError(Exception):
    """Something went wrong in the model server."""

    code: ClassVar[str] = "server_error"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or type(self).__doc__ or type(self).__name__
        self.hint = hint
        super().__init__(self.message)


class Problem(NamedTuple):
    """One thing that is wrong with an input: where, what, and the kind of mistake."""

    loc: tuple[str | int, ...]
    message: str
    type: str


class InputInvalidError(ServerError):
    """The input does not fit the model's schema."""

    code = "input_invalid"
    http_status = 422

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "; ".join(
            f"{'.'.join(str(part) for part in p.loc[2:] or p.loc)}: {p.message}" for p in problems
        )
        super().__init__(f"The input does not fit the model: {lines}")


class InputFetchError(ServerError):
    """An input file could not be fetched."""

    code = "input_unreachable"
    http_status = 422


class RequestError(ServerError):
    """The request is not one this server understands."""

    code = "request_malformed"

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ConflictError(ServerError):
    """A prediction with this id is running with another input."""

    code = "conflict"
    http_status = 409


class BusyError(ServerError):
    """All slots are busy and the queue is full."""

    code = "busy"
    http_status = 429


class UnknownPredictionError(ServerError):
    """There is no prediction with this id, or it ended too long ago."""

    code = "prediction_unknown"
    http_status = 404


class NotReadyError(ServerError):
    """The model is not ready for predictions."""

    code = "not_ready"
    http_status = 503


class SetupFailedError(ServerError):
    """The model's setup() failed."""

    code = "setup_failed"
    http_status = 503

    def __init__(self, message: str, *, logs: str = "") -> None:
        super().__init__(message)
        self.logs = logs


class OutputError(ServerError):
    """The model's output could not be delivered."""

    code = "output_undeliverable"


class ProtocolError(ServerError):
    """The worker sent something that the worker protocol does not know."""

    code = "protocol_broken"


class StartError(ServerError):
    """The server cannot start."""

    code = "cannot_start"
