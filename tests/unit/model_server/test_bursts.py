"""Outputs that come faster than anybody needs each by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cog_server import frames, sse
from cog_server.lifecycle import State
from cog_server.prediction import EVENTS_LIMIT, LOG, OUTPUT, Prediction
from cog_server.workers.worker import Worker
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio
ONE = frames.encode(frames.OUTPUT, 1, b'\x00"a"')


class Transport:
    """Notes whether it is read from."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def pause_reading(self) -> None:
        """Stop."""
        self.said.append("pause")

    def resume_reading(self) -> None:
        """Go on."""
        self.said.append("resume")

    def set_write_buffer_limits(self, high: int) -> None:
        """Take a limit."""

    def abort(self) -> None:
        """Close."""


class Silent:
    """Hears everything and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def worker_at(times: list[float]) -> tuple[Worker, Transport]:
    """Return a worker whose clock shows these times, one for each look at it."""
    process: Any = SimpleNamespace(popen=SimpleNamespace(pid=1), stdout=-1, stderr=-1)
    worker, transport = Worker(process, Silent(), clock=iter(times).__next__), Transport()
    worker.connection_made(transport)  # type: ignore[arg-type]  # what it uses of one
    return worker, transport


@pytest.mark.parametrize(
    ("times", "counts", "rests"),
    [
        ([100.0], [1], 0),
        ([100.0, 100.001, 100.002], [1, 1, 1], 0),
        ([100.0, 100.000_03], [1, 3], 1),
        ([100.0, 100.000_03, 100.001], [1, 3, 1], 1),
    ],
)
async def test_reading_rests_in_a_burst_only(times: list[float], counts: list[int], rests: int) -> None:
    """Never after the first output, never at a pace of a millisecond, and no longer than the burst."""
    worker, transport = worker_at(times)
    for count in counts:
        worker.data_received(ONE * count)
    assert transport.said == ["pause"] * rests


async def test_an_end_is_not_rested_after() -> None:
    """What came with the prediction's end is the last of it."""
    worker, transport = worker_at([100.0])
    worker.data_received(ONE)
    worker.data_received(ONE * 500 + frames.encode(frames.SUCCEEDED, 1, bytes(9)))
    assert transport.said == []


TEXT = st.sampled_from([b'"a"', b"1", b'{"a":\n1}', b'"\\n"', b"[1,\r\n2]", b"null"])


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4)), st.integers(0, 5))
def test_outputs_together_are_what_they_are_one_by_one(groups: list[list[bytes]], seen: int) -> None:
    """The same events with the same ids, read from any of them on, whatever JSON they hold."""
    together, alone = (
        Prediction(id="p", value={}, input_raw=b"{}", shown_input=b"{}", created_at=0.0) for _ in range(2)
    )
    for group in groups:
        together.emit(LOG, ("stdout", "x\n"))
        alone.emit(LOG, ("stdout", "x\n"))
        together.put_out(group)
        for text in group:
            alone.put_out([text])
    assert together.events == alone.events
    assert together.outputs == [text for group in groups for text in group]
    expected = b"".join(
        sse.encode_event(alone, number, event) for number, event in enumerate(alone.events[seen:], seen + 1)
    )
    assert sse.encode_from(together, seen) == (expected, len(alone.events))


def test_a_prediction_keeps_so_many_events_and_all_outputs() -> None:
    """An endless generator of nothing does not fill memory with events."""
    one = Prediction(id="p", value={}, input_raw=b"{}", shown_input=b"{}", created_at=0.0)
    one.state = State.RUNNING
    one.events = [(OUTPUT, (0, b"1"))] * (EVENTS_LIMIT - 1)
    one.put_out([b"1", b"2"])
    one.put_out([b"3"])
    assert len(one.events) == EVENTS_LIMIT
    assert one.outputs == [b"1", b"2", b"3"]
