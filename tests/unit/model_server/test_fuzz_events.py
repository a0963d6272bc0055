"""Event streams from our encoder to the client's decoder, whole and in any pieces."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
from cog_server import sse
from cog_server.prediction import COMPLETED, LOG, OUTPUT, START, Prediction
from cog_server.workers.messages import Metric
from hypothesis import given, settings
from hypothesis import strategies as st
from replicate.stream import Decoder, ServerSentEvent

from tests.fuzzing import examples

TEXT = st.text(max_size=20) | st.sampled_from(
    ["\n", "\r", "\r\n\r\n", "data: x\n\n", "\u2028", "\x00", "id: 9\n", ": \n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def outputs(values: list[Any]) -> list[tuple[str, Any]]:
    """Return output events; JSON is spread over lines in every second one, as a model's own writer may do."""
    return [
        (OUTPUT, (index, json.dumps(value, indent=1 if index % 2 else None, ensure_ascii=False).encode()))
        for index, value in enumerate(values)
    ]


LOGS = st.tuples(st.sampled_from(["stdout", "stderr"]), TEXT).map(lambda log: (LOG, log))
METRICS = st.builds(Metric, name=TEXT, value=VALUES).map(lambda metric: ("metric", metric))
EVENTS = st.builds(
    lambda values, others: [(START, None), *outputs(values), *others, (COMPLETED, None)],
    st.lists(VALUES, max_size=4),
    st.lists(LOGS | METRICS, max_size=4),
)


def prediction(events: list[Any]) -> Prediction:
    """Return a prediction with events."""
    made = Prediction(id="p", value={}, input_raw=b"{}", shown_input=b'{\n"a":\r\n1}', created_at=0.0)
    made.events = events
    return made


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[left:right] for left, right in pairwise(edges)]


@dataclass(frozen=True)
class Read:
    """An event as it came."""

    event: str
    data: str
    id: str
    retry: int | None


class Every(Decoder):
    """The client's decoder, which leaves out no event: a model server has others than a platform."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.found: list[Read] = []

    def _dispatch(self) -> ServerSentEvent | None:
        if self._data:
            self.found.append(Read(self._event or "message", "\n".join(self._data), self._id, self._retry))
        return super()._dispatch()


def read(pieces: list[bytes]) -> list[Read]:
    """Decode a stream."""
    decoder = Every()
    for piece in pieces:
        decoder.feed(piece)
    return decoder.found


@settings(max_examples=examples(200), deadline=None)
@given(EVENTS, st.lists(st.integers(0, 10_000), max_size=10), st.integers(0, 12))
def test_what_is_encoded_is_what_is_read(events: list[Any], places: list[int], seen: int) -> None:
    """Whatever models print and put out, a client reads the same events, from the one it asked for."""
    made = prediction(events)
    start = min(seen, len(events))
    data, total = sse.encode_from(made, start)
    assert total == len(events)
    found = read(cut(data + sse.KEEP_ALIVE, places))
    assert [event.event for event in found] == [
        name if isinstance(name, str) else name.value for name, _ in events[start:]
    ]
    assert [event.id for event in found] == [str(number + 1) for number in range(start, total)]
    for event, (name, value) in zip(found, events[start:], strict=True):
        told = msgspec.json.decode(event.data)
        if name == OUTPUT:
            assert told == {"chunk": msgspec.json.decode(value[1]), "index": value[0]}
        elif name == LOG:
            assert told == {"source": value[0], "data": value[1]}


LINES = st.sampled_from(
    [
        b"data: a\n",
        b"data:\n",
        b"data\n",
        b"event: output\n",
        b"id: 1\n",
        b"id: \x00\n",
        b"retry: 10\n",
        b"retry: -1\n",
        b"retry: \xc2\xb2\n",
        b"retry: \xd9\xa3\n",
        b"retry: " + b"9" * 5000 + b"\n",
        b": comment\n",
        b"\n",
        b"\r",
        b"\r\n",
        b"\xff\xfe\n",
        b"\xef\xbb\xbf",
        b"data: \xe2\x80\xa8x\n",
        b"unknown: x\n",
        b"data: " + b"x" * 5000,
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(LINES | st.binary(max_size=10), max_size=20), st.lists(st.integers(0, 10_000), max_size=10))
def test_any_stream_is_read_the_same_however_it_is_cut(lines: list[bytes], places: list[int]) -> None:
    """A client's decoder takes any bytes a server may send, and the network's cutting changes nothing."""
    data = b"".join(lines)
    assert read(cut(data, places)) == read([data])


@given(
    st.binary(max_size=30) | st.sampled_from([b"\xb2", b"-1", b"1_0", b" 1", b"9" * 5000]), st.integers(0, 50)
)
def test_any_last_event_id_is_a_place_in_the_stream(header: bytes, total: int) -> None:
    """What a client says it has seen is never more than there is, and nonsense means nothing."""
    assert 0 <= sse.last_event_id(header, total) <= total


def test_a_line_in_many_pieces_costs_what_it_is_long() -> None:
    """A large file in an event is read in linear time; quadratic would be minutes here."""
    begun = time.process_time()
    found = read([b"data: ", *[b"x" * 1000] * 20_000, b"\n", b"\n"])
    assert len(found[0].data) == 20_000_000
    assert time.process_time() - begun < 2
