"""What charts ask of whoever counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cogyard.domain.usage import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Whose predictions and instances are meant: an account's, a model's or a deployment's; exactly one is given."""

    account_id: int | None = None
    model_id: int | None = None
    deployment_id: int | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """What instances of a version work for; deployment 0 is none."""

    version: str
    deployment_id: int = 0


class UsageStore(Protocol):
    """Keeps what ended, counted with its end, and how many instances there were."""

    async def tallies(self, about: About, first_hour: int, step: int) -> Sequence[Tally]:
        """Return what ended from that hour on, `step` hours taken together as the first of them."""
        ...

    async def instances(self, about: About, first_hour: int) -> Mapping[int, int]:
        """Return the most instances at once, by hour, of a model outside deployments or of a deployment."""
        ...

    async def note(self, hour: int, most: Mapping[Runner, int]) -> None:
        """Keep how many there were at once in an hour, where that is more than is known."""
        ...

    async def prune(self, before_hour: int) -> None:
        """Forget what is older."""
        ...
