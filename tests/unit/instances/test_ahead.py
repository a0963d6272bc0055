"""What an instance claims ahead, and how it goes back."""

from __future__ import annotations

import asyncio

import pytest
from cogyard.instances.ahead import MOST, Ahead
from cogyard.instances.work import Claim
from cogyard.testing.queue import VERSION, FakeQueue

pytestmark = pytest.mark.anyio


async def _claimed(queue: FakeQueue, count: int) -> list[Claim]:
    for _ in range(count):
        queue.add(VERSION)
    return list(await queue.claim_some(VERSION, instance="i", most=count))


@pytest.mark.parametrize(
    ("last_run", "slots", "room"),
    [(0.0, 1, MOST), (0.001, 1, MOST), (0.01, 1, 2), (0.02, 1, 1), (0.03, 1, 0), (0.03, 4, 3), (10.0, 32, 0)],
)
async def test_no_more_is_claimed_than_soon_begins(last_run: float, slots: int, room: int) -> None:
    """What begins within half the time that a claim may wait, and at most eight."""
    ahead = Ahead(FakeQueue(), instance="i")
    assert ahead.room(slots) == 0, "nothing is known of the model yet"
    ahead.last_run = last_run
    assert ahead.room(slots) == room


async def test_what_is_kept_takes_room_and_comes_in_order() -> None:
    """The oldest is next, and each makes room for another."""
    queue = FakeQueue()
    ahead = Ahead(queue, instance="i")
    ahead.last_run = 0.001
    claims = await _claimed(queue, 2)
    for claim in claims:
        ahead.keep(claim)
    assert ahead.room(1) == MOST - 2
    assert [ahead.next(), ahead.next(), ahead.next()] == [*claims, None]
    assert ahead.room(1) == MOST


async def test_what_was_canceled_is_not_begun() -> None:
    """The model never sees it, and what comes behind it is next."""
    queue = FakeQueue()
    ahead = Ahead(queue, instance="i")
    first, second = await _claimed(queue, 2)
    ahead.keep(first)
    ahead.keep(second)
    queue.cancel(first.prediction.id)
    assert ahead.next() is second


async def test_what_waits_too_long_goes_back() -> None:
    """Another instance may have it then, as if it had never been claimed; no more is claimed until a run has ended."""
    queue = FakeQueue()
    ahead = Ahead(queue, instance="i", hold=0.001)
    ahead.last_run = 1e-5
    first, second = await _claimed(queue, 2)
    ahead.keep(first)
    assert ahead.next() is first
    ahead.keep(second)
    async with asyncio.timeout(10):
        while not await queue.waiting():  # noqa: ASYNC110 - the queue in memory tells of it in no other way
            await asyncio.sleep(0.001)
    assert ahead.next() is None
    assert first.held
    assert queue.entries[second.prediction.id].claims == 0
    assert ahead.room(1) == 0


async def test_closing_gives_everything_back() -> None:
    """All of it waits again when `close` returns; once more changes nothing."""
    queue = FakeQueue()
    ahead = Ahead(queue, instance="i")
    for claim in await _claimed(queue, 3):
        ahead.keep(claim)
    await ahead.close()
    assert await queue.waiting() == {VERSION: 3}
    await ahead.close()


async def test_a_store_that_fails_leaves_it_to_its_lease(caplog: pytest.LogCaptureFixture) -> None:
    """The instance goes on, and its log says so."""

    class _Failing(FakeQueue):
        async def give_back(self, prediction_id: str, lease_token: str) -> bool:
            raise OSError("disk full")

    queue = _Failing()
    ahead = Ahead(queue, instance="i")
    (claim,) = await _claimed(queue, 1)
    ahead.keep(claim)
    await ahead.close()
    assert claim.held
    assert "claim_not_given_back" in caplog.text
