"""The decoder of server-sent events."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from replicate.stream import Decoder, EventType, ServerSentEvent

STREAM = (
    b": hi\n\nevent: output\nid: 1:0\ndata: Once\n\n"
    b"event: output\r\nid: 1:1\r\ndata:  upon\r\ndata: a time\r\n\r\nevent: done\ndata: {}\n\n"
)
EVENTS = [
    ServerSentEvent(EventType.OUTPUT, "Once", "1:0"),
    ServerSentEvent(EventType.OUTPUT, " upon\na time", "1:1"),
    ServerSentEvent(EventType.DONE, "{}", "1:1"),
]


def test_reads_events_comments_and_line_ends() -> None:
    """Events keep their text and ids, whichever line ends and comments surround them."""
    assert Decoder().feed(STREAM) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    """However the network cuts the bytes, the events are the same."""
    places = [0, *sorted(cuts), len(STREAM)]
    decoder = Decoder()
    got = [event for start, stop in itertools.pairwise(places) for event in decoder.feed(STREAM[start:stop])]
    assert got == EVENTS


def test_prints_as_text() -> None:
    """Printing the events of a stream prints the output and nothing else."""
    assert "".join(str(event) for event in EVENTS) == "Once upon\na time"
