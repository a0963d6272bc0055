"""Everything this client raises on purpose.

ReplicateException
├── ReplicateError     the platform answered with a problem (or could not be reached: status None)
└── ModelError         the model itself failed; `.prediction` has its logs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replicate.predictions import Prediction


class ReplicateException(Exception):
    """The base of every error of this client."""


class ReplicateError(ReplicateException):
    """The platform refused a request; the fields are those of its problem+json answer (RFC 9457)."""

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
        super().__init__(detail or title or "The platform answered with an error.")
        self.type, self.title, self.status = type, title, status
        self.detail, self.instance = detail, instance
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        """Name the status, what went wrong and the platform's explanation, as far as they are known."""
        parts = [str(part) for part in (self.status, self.title, self.detail) if part]
        return ": ".join(parts) or "The platform answered with an error."

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known."""
        fields = ("type", "title", "status", "detail", "instance")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}


class ModelError(ReplicateException):
    """The model raised, or was stopped; the prediction tells what it said before that."""

    def __init__(self, prediction: Prediction) -> None:
        """Keep the failed prediction."""
        super().__init__(prediction.error or f"The prediction ended as {prediction.status}.")
        self.prediction = prediction
