"""How many predictions a worker takes, by what it says of itself and what the operator says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from cog_server.errors import ProtocolError
from cog_server.workers.lane import Lane
from cog_server.workers.messages import Batch, Ready, decode


class Nobody:
    """Hears nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.mark.parametrize(
    ("is_async", "concurrency", "batch", "operator", "slots", "batches"),
    [
        (False, 1, None, None, 1, 1),
        (False, 9, None, 7, 1, 1),
        (True, 4, None, None, 4, 4),
        (True, 4, None, 7, 7, 7),
        (False, 1, 8, 8, 8, 1),
        (True, 1, 8, None, 8, 1),
        (True, 2, 8, None, 16, 2),
        (True, 24, 8, 24, 24, 3),
        (True, 2, 8, 2, 8, 1),
    ],
)
def test_slots_of_a_worker(  # noqa: PLR0917 - the columns of the table
    is_async: bool,
    concurrency: int,
    batch: int | None,
    operator: int | None,
    slots: int,
    batches: int,
) -> None:
    """A sync worker runs one call at a time; an async one as many as said; a call may be a batch."""
    lane = Lane(Nobody())
    assert not lane.free
    size = None if batch is None else Batch(max_size=batch, max_wait=0.1)
    lane.open(Ready(protocol=1, is_async=is_async, concurrency=concurrency, batch=size), operator)
    assert (lane.slots, lane.groups_most if batch else batches, lane.free) == (slots, batches, True)
    lane.groups = lane.groups_most
    assert lane.free is (batch is None)


@pytest.mark.parametrize(
    "batch", [{"max_size": 0, "max_wait": 0}, {"max_size": 1, "max_wait": -1}, {"max_size": 2}, 3]
)
def test_a_batch_that_makes_no_sense_is_a_broken_protocol(batch: Any) -> None:
    """The worker is another program; it may be wrong."""
    with pytest.raises(ProtocolError):
        decode(Ready, msgspec.json.encode({"protocol": 1, "batch": batch}))
