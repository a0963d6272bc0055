"""What the pages of instances ask of whoever runs them: what lives now, and how those before it ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cogyard.domain.autoscale import InstanceView
from cogyard.domain.waiting import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Living:
    """An instance that lives, and what its `setup()` has printed so far."""

    view: InstanceView
    setup_logs: str = ""


class Records(Protocol):
    """What is kept of instances that have ended."""

    def of(self, deployable: str) -> Sequence[Mapping[str, Any]]:
        """Return the newest first; blocks a moment."""
        ...


class Present(Protocol):
    """What lives at this moment."""

    def deployables(self) -> Collection[str]:
        """Return what instances work for that live."""
        ...

    def living(self, deployable: str) -> Sequence[Living]:
        """Return the instances that work for a deployable, the oldest first."""
        ...

    def trouble(self, deployable: str) -> Reason | None:
        """Say why none could be started lately; None when nothing is wrong."""
        ...


class NoRecords:
    """For a platform that keeps none."""

    def of(self, deployable: str) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002 - of none
        """Return nothing."""
        return ()


class NobodyThere:
    """For a platform that runs none."""

    def deployables(self) -> Collection[str]:
        """Return nothing."""
        return ()

    def living(self, deployable: str) -> Sequence[Living]:  # noqa: ARG002 - of none
        """Return nothing."""
        return ()

    def trouble(self, deployable: str) -> Reason | None:  # noqa: ARG002 - of none
        """Return nothing."""
        return None
