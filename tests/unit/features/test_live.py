"""What is live: numbers without gaps, watchers who are woken, topics that are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cogyard.domain.stream import Item, StreamEvent, numbered
from cogyard.domain.values import Prediction, Status
from cogyard.features.predictions.bells import Bells
from cogyard.features.predictions.live import REMEMBERED, REMEMBERED_CHARS, Live, Topic

pytestmark = pytest.mark.anyio
PREDICTION = Prediction(
    id="p",
    model="m",
    version="v",
    account_id=1,
    status=Status.SUCCEEDED,
    input={},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def _ids(events: tuple[StreamEvent, ...] | None) -> list[int] | None:
    return None if events is None else [event.id for event in events]


async def test_numbers_go_on_from_what_is_kept() -> None:
    """A second run of the same prediction never uses a number again."""
    live = Live()
    live.hold(PREDICTION, "lease", 7)
    topic = live.held("p", "lease")
    assert topic is not None
    topic.add([Item("output", "a"), Item("logs", "b")])
    assert _ids(topic.since(7)) == [8, 9]
    assert _ids(topic.since(8)) == [9]
    assert topic.since(3) is None
    assert _ids(topic.since(9)) == []
    assert live.held("p", "other") is None


async def test_unwritten_events_are_never_forgotten() -> None:
    """However many there are; written ones are, beyond the last thousand."""
    topic = Topic()
    topic.add([Item("output", "x")] * (REMEMBERED * 2))
    assert len(topic.recent) == REMEMBERED * 2
    assert len(topic.drain()) == REMEMBERED * 2
    assert len(topic.recent) == REMEMBERED
    assert topic.drain() == ()
    topic.add([Item("output", "y")])
    batch = topic.drain()
    assert _ids(batch) == [REMEMBERED * 2 + 1]
    topic.undrain(batch)
    assert _ids(topic.drain()) == [REMEMBERED * 2 + 1]


async def test_events_that_could_not_be_written_are_taken_back() -> None:
    """In their place, also when they had been forgotten, and before those that came meanwhile."""
    topic = Topic()
    topic.add([Item("output", "x" * REMEMBERED_CHARS), Item("output", "y" * 10)])
    batch = topic.drain()
    assert len(topic.recent) == 1
    topic.add([Item("output", "z")])
    topic.undrain(batch)
    assert _ids(topic.since(0)) == [1, 2, 3]
    assert _ids(topic.drain()) == [1, 2, 3]


async def test_whoever_waits_is_woken() -> None:
    """By events and by the end; and not without a reason."""
    topic = Topic()
    assert not await topic.changed(0.001)
    happenings: tuple[Callable[[], None], ...] = (
        lambda: topic.add([Item("output", "x")]),
        lambda: topic.end(PREDICTION, numbered(2, [Item("done", "{}")])),
    )
    for happen in happenings:
        waiting = asyncio.create_task(topic.changed(10))
        await asyncio.sleep(0)
        happen()
        assert await waiting
    assert topic.ended is PREDICTION
    assert _ids(topic.since(1)) == [2]


async def test_topics_are_forgotten_when_nobody_cares() -> None:
    """Held or watched they stay."""
    live = Live()
    live.hold(PREDICTION, "lease", 0)
    with live.watch("p"), live.watch("p"):
        live.end(PREDICTION, numbered(1, [Item("done", "{}")]))
        assert set(live.topics) == {"p"}
    assert live.topics == {}
    with live.watch("p"):
        pass
    assert live.topics == {}


async def test_a_lost_run_is_stopped_and_the_next_is_not() -> None:
    """The old holder hears that it must stop; the new one starts afresh."""
    live = Live()
    with live.watch("p") as topic:
        live.hold(PREDICTION, "old", 0)
        stopped = asyncio.create_task(topic.stopped.wait())
        await asyncio.sleep(0)
        live.release("p", 4)
        assert await stopped
        live.hold(PREDICTION, "new", 4)
        assert not topic.stopped.is_set()
        assert live.held("p", "old") is None
        assert topic.last == 4


async def test_a_bell_that_rings_while_one_looks_is_heard() -> None:
    """Looking in vain and work that comes at the same moment never miss each other; who never looked looks first."""
    bells = Bells()
    await asyncio.wait_for(bells.wait("v", 60), 1)
    bells.hush("v")
    bells.ring("v")
    await asyncio.wait_for(bells.wait("v", 60), 1)
    bells.hush("v")
    await bells.wait("v", 0.001)
    bells.ring("other")
    await asyncio.wait_for(bells.wait_any(60), 1)
