"""Lanes with real threads: everything in order, errors carried, nothing left running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cogyard.blobs.lanes import DEPTH, TURN, Lane, Piece

pytestmark = pytest.mark.anyio


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give two threads."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


async def test_pieces_are_worked_on_in_order(threads: ThreadPoolExecutor) -> None:
    """Many lanes over few threads, each with more pieces than a turn has, all finish with theirs in order."""
    seen: list[list[Piece]] = [[] for _ in range(6)]
    pieces = [[b"%d" % number] for number in range(3 * TURN)]

    async def fill(found: list[Piece]) -> None:
        lane = Lane(threads, found.append)
        for piece in pieces:
            await lane.room()
            lane.put(piece)
        await lane.finish()

    await asyncio.gather(*(fill(found) for found in seen))
    assert seen == [pieces] * 6


async def test_who_is_too_fast_waits(threads: ThreadPoolExecutor) -> None:
    """Never more than a few pieces are held, and room comes when some are done."""
    gate, done = threading.Semaphore(0), list[Piece]()

    def work(piece: Piece) -> None:
        gate.acquire()
        done.append(piece)

    lane = Lane(threads, work)
    for _ in range(DEPTH):
        await lane.room()
        lane.put([b"x"])
    waiting = asyncio.ensure_future(lane.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.release(DEPTH)
    await waiting
    await lane.finish()
    assert len(done) == DEPTH


async def test_an_error_ends_the_work_and_is_told(threads: ThreadPoolExecutor) -> None:
    """What comes after it is not worked on; whoever waits hears of it, and stopping raises nothing."""
    seen: list[Piece] = []

    def work(piece: Piece) -> None:
        seen.append(piece)
        raise OSError(28, "No space left on device")

    lane = Lane(threads, work)
    for _ in range(DEPTH):
        lane.put([b"x"])
    for wait in (lane.finish, lane.room):
        with pytest.raises(OSError, match="No space"):
            await wait()
    await lane.stop()
    assert len(seen) == 1


async def test_a_stopped_lane_drops_what_it_has_not_begun(threads: ThreadPoolExecutor) -> None:
    """After that no thread works for it, so that its file may be closed."""
    begun, go_on, seen = threading.Event(), threading.Event(), list[Piece]()

    def work(piece: Piece) -> None:
        begun.set()
        go_on.wait()
        seen.append(piece)

    lane = Lane(threads, work)
    for _ in range(DEPTH):
        lane.put([b"x"])
    await asyncio.to_thread(begun.wait)
    stopping = asyncio.ensure_future(lane.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    go_on.set()
    await stopping
    assert len(seen) == 1


async def test_a_closed_store_is_told_and_not_waited_for() -> None:
    """When there are no threads any more."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    lane = Lane(pool, lambda _: None)
    lane.put([b"x"])
    with pytest.raises(RuntimeError):
        await lane.finish()
    await lane.stop()
