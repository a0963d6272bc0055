"""Why predictions wait, read off what the controller saw last. Pure, but for remembering it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.waiting import Cause, Reason
from cogyard.features.instances.ports import Living, NobodyThere
from cogyard.fleet.controller import Overview
from cogyard.fleet.trouble import Trouble


class Fleet(Protocol):
    """Where instances live."""

    def deployables(self) -> Collection[str]:
        """Return what instances work for that live."""
        ...

    def living(self, deployable: str) -> Sequence[Living]:
        """Return those that work for a deployable."""
        ...


class Lookout:
    """Keeps the controller's last overview and answers from it."""

    def __init__(self, max_instances: int) -> None:
        self._max_instances = max_instances
        self._overview: Overview | None = None
        #: Where instances live; to be set once there is a fleet.
        self.fleet: Fleet = NobodyThere()

    def observe(self, overview: Overview) -> None:
        """Take the newest overview."""
        self._overview = overview

    def why(self, deployable: str) -> Reason:
        """Say why what waits for this deployable waits."""
        if self._overview is None:
            return Reason(cause=Cause.SCHEDULING, detail="The platform has just started and looks around.")
        return reason_for(deployable, self._overview, self._max_instances)

    def deployables(self) -> Collection[str]:
        """Return what instances work for that live at this moment."""
        return self.fleet.deployables()

    def living(self, deployable: str) -> Sequence[Living]:
        """Return the instances that work for a deployable at this moment."""
        return self.fleet.living(deployable)

    def trouble(self, deployable: str) -> Reason | None:
        """Say why none could be started lately; None when nothing is wrong."""
        trouble = None if self._overview is None else self._overview.troubles.get(deployable)
        if trouble is None:
            return None
        # Nothing need be waiting, so there may be no next try, and its time may have passed long ago.
        again = f"They are tried again when something waits, from {trouble.not_before:%H:%M:%S} UTC on."
        return Reason(cause=Cause.FAILING, detail=f"Instances could not start {_times(trouble)}. {again}")


def reason_for(deployable: str, overview: Overview, max_instances: int) -> Reason:
    """Say what stands between a waiting prediction and its run; the nearest obstacle counts."""
    mine = [view for view in overview.instances if view.deployable == deployable]
    ready = [view for view in mine if view.phase is Phase.READY]
    starting = [view for view in mine if view.phase is Phase.STARTING]
    trouble = overview.troubles.get(deployable)
    if ready:
        return Reason(cause=Cause.BUSY, detail=_busy(ready))
    if starting:
        since = min(view.since for view in starting)
        return Reason(
            cause=Cause.STARTING, detail=f"An instance has been starting since {since:%H:%M:%S} UTC."
        )
    if trouble is not None:
        return _failing(trouble)
    if len(overview.instances) >= max_instances:
        return Reason(
            cause=Cause.FULL,
            detail=f"All {max_instances} places for instances are taken; one must become free first.",
        )
    return Reason(cause=Cause.SCHEDULING, detail="An instance is about to be started.")


def _busy(ready: list[InstanceView]) -> str:
    slots = sum(view.slots for view in ready)
    busy = sum(view.busy for view in ready)
    return f"{busy} of {slots} slots run something; the next free one takes what is first in the queue."


def _failing(trouble: Trouble) -> Reason:
    when = f"the next try is after {trouble.not_before:%H:%M:%S} UTC."
    return Reason(cause=Cause.FAILING, detail=f"Instances could not start {_times(trouble)}; {when}")


def _times(trouble: Trouble) -> str:
    return "once" if trouble.failures == 1 else f"{trouble.failures} times"
