"""How a prediction is asked for: of a deployment, and so that the same request twice is one prediction."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.domain.values import Account
from cogyard.features.predictions.ports import Once
from cogyard.http.errors import ConflictError


@dataclass(frozen=True, kw_only=True, slots=True)
class Through:
    """The deployment that a prediction is asked of."""

    deployment_id: int
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A create that may be said again: its key, and a fingerprint of all that was asked."""

    key: str
    fingerprint: bytes

    def of(self, caller: Account, prediction_id: str) -> Once:
        """Return what is kept of it."""
        return Once(
            account_id=caller.id,
            key=self.key,
            fingerprint=self.fingerprint,
            prediction_id=prediction_id,
        )

    def matching(self, kept: Once) -> str:
        """Return the prediction that was created by the same request. Raises ConflictError for another's."""
        if kept.fingerprint != self.fingerprint:
            raise ConflictError(f"The Idempotency-Key {self.key!r} was said with another request before.")
        return kept.prediction_id
