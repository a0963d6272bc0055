"""The port through which an instance takes work and reports on it.

Theory of operation: an instance of a version *claims* the next waiting prediction of its deployable. The
claim carries a lease token; every later call names it, and a call whose token is no longer the one in the
queue changes nothing and answers False: the caller has been overtaken and must drop what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cogyard.domain.retry import Recovery
from cogyard.domain.values import Prediction


class Claim(Protocol):
    """A prediction taken by one instance, until `expires_at` unless renewed."""

    @property
    def prediction(self) -> Prediction:
        """What was taken."""
        ...

    @property
    def lease_token(self) -> str:
        """What the holder names in every report."""
        ...

    @property
    def expires_at(self) -> datetime:
        """When it is taken for lost."""
        ...

    @property
    def held(self) -> bool:
        """Whether nothing has ended or taken it since, as far as is known without asking."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run ended. `output` is None when it was streamed; then what was streamed is the output.

    `interrupted`: somebody killed what ran it, so another run may well end otherwise.
    """

    status: str
    output: Any = None
    streamed: bool = False
    error: str | None = None
    metrics: Mapping[str, Any] | None = None
    interrupted: bool = False


class WorkSource(Protocol):
    """Predictions waiting for an instance of one deployable: see `cogyard.domain.deployables`."""

    async def claim(self, deployable: str, *, instance: str) -> Claim | None:
        """Take the next waiting prediction, or None when there is none."""
        ...

    async def claim_some(self, deployable: str, *, instance: str, most: int) -> Sequence[Claim]:
        """Take the next waiting predictions in their order, at most so many."""
        ...

    async def wait_for_work(self, deployable: str, *, timeout: float) -> None:
        """Return when there may be work that no claim has seen, or after `timeout` seconds."""
        ...

    async def renew(self, prediction_id: str, lease_token: str) -> bool:
        """Extend the lease; False when it was lost."""
        ...


class Reports(Protocol):
    """What an instance says about a prediction it holds. False means the lease was lost."""

    async def give_back(self, prediction_id: str, lease_token: str) -> bool:
        """Let what was claimed and not begun wait again, as if it had never been claimed."""
        ...

    async def started(self, prediction_id: str, lease_token: str, *, ago: float = 0.0) -> bool:
        """Say that the model has begun, so many seconds ago."""
        ...

    async def progress(
        self, prediction_id: str, lease_token: str, *, outputs: Sequence[Any] = (), logs: str = ""
    ) -> bool:
        """Add streamed outputs (JSON values, in order) and log text."""
        ...

    async def finished(self, prediction_id: str, lease_token: str, outcome: Outcome) -> bool:
        """Give the one terminal result."""
        ...


class Handovers(Protocol):
    """Keeps which leases a model may have seen, through the end of this process; see the predictions' room."""

    def note(self, lease_token: str) -> None:
        """Note that a model is about to see what the lease holds. Raises OSError when that can't be kept."""
        ...

    def drop(self, lease_token: str) -> None:
        """Forget a lease: what it held has ended, or no model saw it after all."""
        ...


class Cancellations(Protocol):
    """Who wants what stopped."""

    async def wait_canceled(self, prediction_id: str) -> None:
        """Return once someone asks that this prediction stop."""
        ...


class Backlog(Protocol):
    """What the controller scales by. The platform's queue is it, beside being the work source."""

    async def waiting(self) -> Mapping[str, int]:
        """Return how many predictions wait, by deployable; those with an expired lease wait too."""
        ...

    async def wait_for_any(self, *, timeout: float) -> None:
        """Return when work of any deployable may have arrived, or after `timeout` seconds."""
        ...

    async def recover(self) -> Recovery:
        """Void every lease and return what became of what they held: called at start, before any instance lives."""
        ...


class VersionSource(Protocol):
    """Where an instance finds what it runs."""

    async def manifest(self, version: str) -> tuple[bytes, Mapping[str, Any]]:
        """Return (manifest bytes, image config) of a version; raise KeyError when there is none."""
        ...
