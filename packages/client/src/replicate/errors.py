"""Everything this client raises on purpose.

ReplicateException
├── ReplicateError     the platform answered with a problem
│   ├── Unreachable    it gave no answer, or not all of it (status None)
│   └── StreamFailed   a stream ended with an error of the model's; a RuntimeError too, as in the official client
└── ModelError         the model itself failed; `.prediction` has its logs
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from replicate.predictions import Prediction


class ReplicateException(Exception):
    """The base of every error of this client."""


class _Response(Protocol):
    """An answer of httpx or httpx2."""

    status_code: int

    def json(self) -> Any: ...


class ReplicateError(ReplicateException):
    """The platform refused a request; the fields are those of its problem+json answer (RFC 9457)."""

    type: str | None
    title: str | None
    status: int | None
    detail: str | None
    instance: str | None
    headers: dict[str, str]

    def __init__(
        self,
        type: str | None = None,
        title: str | None = None,
        status: int | None = None,
        detail: str | None = None,
        instance: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the fields of the answer; each may be missing."""
        Exception.__init__(self, detail or title or "The platform answered with an error.")
        self.type, self.title, self.status = type, title, status
        self.detail, self.instance = detail, instance
        self.headers = dict(headers or {})

    @classmethod
    def from_response(cls, response: _Response) -> ReplicateError:
        """Make the error of an answer of httpx."""
        try:
            body = response.json()
        except ValueError:
            body = {}
        fields = ("type", "title", "detail", "instance")
        return cls(status=response.status_code, **{name: body.get(name) for name in fields})

    def __str__(self) -> str:
        """Name what is known, each by its name as the official client does, in one line."""
        known = [f"{name}: {value}" for name, value in self.to_dict().items()]
        return "; ".join(known) or "The platform answered with an error."

    def __repr__(self) -> str:
        """Show every field."""
        fields = ("type", "title", "status", "detail", "instance")
        return f"ReplicateError({', '.join(f'{name}={getattr(self, name)!r}' for name in fields)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known."""
        fields = ("type", "title", "status", "detail", "instance")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}


class Unreachable(ReplicateError):
    """The platform gave no answer.

    Code that catches httpx's own errors, as the official client raises them, catches this too where httpx is loaded.
    """

    @staticmethod
    def of(error: Exception, *, title: str, detail: str) -> Unreachable:
        """Return what stands for an error of httpx2."""
        httpx = sys.modules.get("httpx")
        named = getattr(httpx, type(error).__name__, None)
        kind = _both(named) if isinstance(named, type) and issubclass(named, Exception) else Unreachable
        return kind(title=title, detail=detail)


def _both(kind: type[Exception]) -> type[Unreachable]:
    return type("Unreachable", (Unreachable, kind), {"__doc__": Unreachable.__doc__, "_request": None})


class StreamFailed(ReplicateError, RuntimeError):
    """The stream of a prediction's output ended with an error."""


class ModelError(ReplicateException):
    """The model raised, or was stopped; the prediction tells what it said before that."""

    prediction: Prediction

    def __init__(self, prediction: Prediction) -> None:
        """Keep the failed prediction."""
        super().__init__(prediction.error or f"The prediction ended as {prediction.status}.")
        self.prediction = prediction
