"""Server-sent events are the same however their bytes come."""

from __future__ import annotations

import pytest
from cogyard.instances.frames import Frames

STREAM = b': hi\n\nevent: output\nid: 1\ndata: {"chunk":1}\n\ndata: a\ndata:b\n\nevent: empty\n\nevent: end\ndata:\n\n'
EVENTS = [("output", b'{"chunk":1}'), ("message", b"a\nb"), ("end", b"")]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_do_not_depend_on_the_pieces(size: int, ends: bytes) -> None:
    """Cut anywhere, with any end of lines, comments and events without data passed over."""
    frames, stream = Frames(1000), STREAM.replace(b"\n", ends) + b": end" + ends
    found = [event for at in range(0, len(stream), size) for event in frames.feed(stream[at : at + size])]
    assert found == EVENTS


def test_an_event_is_there_with_its_last_byte() -> None:
    """It does not wait for the next one."""
    frames = Frames(1000)
    assert frames.feed(b"data: 1\n") == []
    assert frames.feed(b"\n") == [("message", b"1")]


def test_an_event_without_an_end_is_refused_at_the_limit() -> None:
    """A server that sends one for ever fills no memory."""
    frames = Frames(100)
    assert frames.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(ValueError, match="more than 100 bytes"):
        frames.feed(b"x" * 90)
