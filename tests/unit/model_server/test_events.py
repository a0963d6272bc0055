"""Server-sent events, and the memory of ended predictions."""

from __future__ import annotations

import pytest
from cog_server import sse
from cog_server.lifecycle import State
from cog_server.memory import LARGE, Memory
from cog_server.prediction import COMPLETED, LOG, LOG_LIMIT, METRIC, OUTPUT, START, Prediction, timestamp
from cog_server.workers.messages import Metric


def prediction(id: str = "p1", input_raw: bytes = b"{}") -> Prediction:
    """Return a new prediction."""
    return Prediction(id=id, value={}, input_raw=input_raw, shown_input=input_raw, created_at=1_767_225_600.5)


def test_events_in_the_wire_s_form() -> None:
    """Each kind of event has an id, a name and one line of JSON."""
    one = prediction()
    one.emit(START)
    one.emit(OUTPUT, (0, b'"a"'))
    one.emit(LOG, ("stderr", "line\n"))
    one.emit(METRIC, Metric(name="n", value=1, mode="incr"))
    text, seen = sse.encode_from(one, 0)
    assert seen == 4
    assert text.split(b"\n\n")[:4] == [
        b'id: 1\nevent: start\ndata: {"id":"p1","status":"processing"}',
        b'id: 2\nevent: output\ndata: {"chunk":"a","index":0}',
        b'id: 3\nevent: log\ndata: {"source":"stderr","data":"line\\n"}',
        b'id: 4\nevent: metric\ndata: {"name":"n","value":1,"mode":"incr"}',
    ]


def test_json_that_spans_lines_cannot_break_an_event() -> None:
    """Line breaks between the tokens of someone's JSON are removed: they would end the data line."""
    one = prediction(input_raw=b'{\n"a":\r\n1}')
    one.emit(OUTPUT, (0, b"[1,\n\n2]"))
    one.emit(COMPLETED)
    text, _ = sse.encode_from(one, 0)
    first, second, rest = text.split(b"\n\n")
    assert first.endswith(b'data: {"chunk":[1,2],"index":0}')
    assert b'"input":{"a":1}' in second
    assert rest == b""


def test_reading_on_from_an_id() -> None:
    """Last-Event-ID skips what was seen; nonsense means from the beginning; ids beyond the end mean the end."""
    assert sse.last_event_id(b"3", 5) == 3
    assert sse.last_event_id(b"99", 5) == 5
    for nonsense in (None, b"", b"-1", b"abc", b"9" * 30):
        assert sse.last_event_id(nonsense, 5) == 0


def test_an_answer_shows_the_whole_prediction() -> None:
    """The answer has every field of the specification, the output as it stands, and times in UTC."""
    one = prediction()
    one.state = State.SUCCEEDED
    one.streamed, one.outputs = True, [b'"a"', b'"b"']
    one.metrics, one.predict_time = {"tokens": 2}, 0.25
    one.add_log("hi\n")
    assert one.answer() == (
        b'{"id":"p1","input":{},"output":["a","b"],"logs":"hi\\n","error":null,"status":"succeeded",'
        b'"metrics":{"tokens":2,"predict_time":0.25},"created_at":"2026-01-01T00:00:00.500000+00:00",'
        b'"started_at":null,"completed_at":null,"version":null}'
    )
    assert timestamp(None) is None


def test_logs_are_kept_up_to_a_limit() -> None:
    """A model that never stops printing does not fill memory; the cut is marked."""
    one = prediction()
    chunk = "x" * 1_000_000
    kept = sum(len(one.add_log(chunk)) for _ in range(20))
    assert LOG_LIMIT <= kept <= LOG_LIMIT + 200
    assert one.all_logs().endswith("the rest is dropped]\n")


def test_memory_keeps_the_last_ones_for_a_while() -> None:
    """The newest hundred stay for ten minutes; then GET does not find them."""
    memory = Memory(most=2, seconds=600)
    for name in ("a", "b", "c"):
        memory.keep(prediction(name), now=0.0)
    assert memory.get("a", 1.0) is None
    assert memory.get("c", 600.0) is not None
    assert memory.get("c", 600.1) is None
    assert len(memory) == 1


def test_memory_is_bounded_in_bytes_too() -> None:
    """Large predictions push older ones out, but the newest is always there."""
    memory = Memory(limit=10_000)
    memory.keep(prediction("small"), now=0.0)
    memory.keep(prediction("large", b" " * 50_000), now=0.0)
    assert memory.get("small", 0.0) is None
    assert memory.get("large", 0.0) is not None


def test_memory_keeps_no_large_answer_that_nobody_can_ask_for_again() -> None:
    """What its only client has had whole goes at once when it is large; small ones, and those of others, stay."""
    memory = Memory()
    for name, size, told in (("small", 10, True), ("given", LARGE, True), ("awaited", LARGE, False)):
        one = prediction(name, b" " * size)
        one.told = told
        memory.keep(one, now=0.0)
    assert memory.get("small", 0.0) is not None
    assert memory.get("given", 0.0) is None
    assert memory.get("awaited", 0.0) is not None


@pytest.mark.anyio
async def test_watchers_are_woken_once_for_many_events() -> None:
    """A watcher waits for the next change, whatever number of events makes it; enders are called at the end only."""
    one = prediction()
    ended: list[int] = []
    one.enders.append(lambda: ended.append(1))
    change = one.watch()
    one.emit(OUTPUT, (0, b"1"))
    one.emit(OUTPUT, (1, b"2"))
    assert change.done()
    assert ended == []
    one.emit(COMPLETED)
    assert ended == [1]
