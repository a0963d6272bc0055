"""What is removed for its age waits while the clock may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.features.steady import HOLD, JUMP, Steady
from cogyard.features.world import World

pytestmark = pytest.mark.anyio


@dataclass
class _Time:
    passed: float = 0.0
    ahead: timedelta = field(default_factory=timedelta)

    def world(self) -> World:
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        return World(
            now=lambda: begun + timedelta(seconds=self.passed) + self.ahead, elapsed=lambda: self.passed
        )


def test_a_clock_that_jumped_ahead_is_not_believed_for_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Nor when it was set back meanwhile: who knows; then it is again. It is said once."""
    time = _Time()
    steady = Steady(time.world())
    assert steady()
    time.passed, time.ahead = 60, timedelta(days=400)
    assert not steady()
    time.passed, time.ahead = 120, timedelta(0)
    assert not steady()
    time.passed = 60 + HOLD - 1
    assert not steady()
    time.passed = 60 + HOLD
    assert steady()
    assert [record.message for record in caplog.records] == ["clock_set_ahead"]


@pytest.mark.parametrize("ahead", [timedelta(seconds=30), JUMP, -timedelta(days=400)])
def test_a_clock_that_is_put_right_or_set_back_makes_nothing_old(ahead: timedelta) -> None:
    """Nothing has to wait for that."""
    time = _Time()
    steady = Steady(time.world())
    assert steady()
    time.passed, time.ahead = 60, ahead
    assert steady()


async def test_work_is_left_out_and_done_again() -> None:
    """Whatever removes stands behind the same look at the clock."""
    time, done = _Time(), list[float]()

    async def work() -> None:
        done.append(time.passed)

    behind = Steady(time.world()).behind(work)
    for passed, ahead in ((0, 0), (60, 0), (120, 400), (180, 400), (120 + HOLD, 400)):
        time.passed, time.ahead = passed, timedelta(days=ahead)
        await behind()
    assert done == [0, 60, 120 + HOLD]
