"""Why a prediction waits, by what the controller saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.domain.waiting import Cause
from cogyard.features.instances.ports import Living
from cogyard.fleet.controller import Overview
from cogyard.fleet.reasons import Lookout, reason_for
from cogyard.fleet.trouble import Trouble

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TROUBLE = Trouble(
    failures=3, reason="no", logs="", not_before=NOW, unasked_before=NOW, give_up=False, stopped=False
)


def _view(deployable: str, phase: Phase) -> InstanceView:
    return InstanceView(id=f"{deployable}-{phase}", deployable=deployable, phase=phase, since=NOW, busy=1)


def _overview(*instances: InstanceView, troubles: dict[str, Trouble] | None = None) -> Overview:
    return Overview(instances=instances, waiting={"a": 1}, troubles=troubles or {})


@pytest.mark.parametrize(
    ("overview", "cause", "word"),
    [
        (_overview(_view("a", Phase.READY)), Cause.BUSY, "1 of 1 slots"),
        (_overview(_view("a", Phase.STARTING), troubles={"a": TROUBLE}), Cause.STARTING, "12:00:00"),
        (_overview(troubles={"a": TROUBLE}), Cause.FAILING, "3 times"),
        (_overview(_view("b", Phase.READY), _view("c", Phase.DRAINING)), Cause.FULL, "All 2 places"),
        (_overview(_view("b", Phase.READY)), Cause.SCHEDULING, "about to"),
        (_overview(_view("a", Phase.DRAINING)), Cause.SCHEDULING, "about to"),
    ],
)
def test_the_nearest_obstacle_is_named(overview: Overview, cause: Cause, word: str) -> None:
    """An instance that gets ready counts before a failure of one before it; others' instances only fill places."""
    reason = reason_for("a", overview, max_instances=2)
    assert reason.cause is cause
    assert word in reason.detail


def test_nobody_knows_before_the_first_look() -> None:
    """After a start it says so; then the newest look counts."""
    lookout = Lookout(2)
    assert lookout.why("a").cause is Cause.SCHEDULING
    assert "just started" in lookout.why("a").detail
    lookout.observe(_overview(_view("a", Phase.READY)))
    reason = lookout.why("a")
    assert reason.cause is Cause.BUSY


def test_what_lives_and_what_went_wrong_is_said_of_each() -> None:
    """Instances come from the fleet as they are now; trouble from the last look, with how often and what follows."""
    lookout = Lookout(2)
    assert (lookout.living("a"), lookout.trouble("a")) == ((), None)
    living = Living(view=_view("a", Phase.READY))

    class Fleet:
        def deployables(self) -> list[str]:
            return ["a"]

        def living(self, deployable: str) -> list[Living]:
            return [living] if deployable == "a" else []

    lookout.fleet = Fleet()
    assert (lookout.living("a"), lookout.living("b"), lookout.deployables()) == ([living], [], ["a"])
    lookout.observe(_overview(troubles={"b": replace(TROUBLE, failures=1)}))
    reason = lookout.trouble("b")
    assert reason is not None
    again = "They are tried again when something waits, from 12:00:00 UTC on."
    assert reason.detail == f"Instances could not start once. {again}"
    assert lookout.trouble("a") is None
