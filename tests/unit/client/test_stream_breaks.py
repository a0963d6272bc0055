"""Streams whose connection breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from replicate import Client, ReplicateError
from replicate.errors import StreamFailed
from replicate.stream import EventType

from tests.unit.client.test_client import BASE, client_of, prediction

URL = f"{BASE}/v1/streams/s"
EVENT = "event: output\nid: {}\ndata: {}\n\n"
DONE = "event: done\nid: 9\ndata: {}\n\n"


class Breaking(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Gives its text, and then no more."""

    def __init__(self, text: str) -> None:
        """Give this."""
        self._text = text.encode()

    def __iter__(self) -> Iterator[bytes]:
        """Break after the text."""
        yield self._text
        raise httpx2.ReadError("reset")

    async def __aiter__(self) -> Any:
        """Break after the text."""
        for piece in self:
            yield piece


class Platform:
    """Streams the given texts, one for each time it is asked; each but the last breaks."""

    def __init__(self, *texts: str | httpx2.Response) -> None:
        """Have these to tell."""
        self._texts = list(texts)
        self.asked: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Create the prediction, or stream it."""
        if request.method == "POST":
            return httpx2.Response(201, json=prediction(urls={"stream": URL}))
        self.asked.append(request.headers.get("last-event-id"))
        text = self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]
        if isinstance(text, httpx2.Response):
            return text
        kind = {"content-type": "text/event-stream; charset=utf-8"}
        last = text.endswith(DONE)
        return httpx2.Response(200, headers=kind, **({"text": text} if last else {"stream": Breaking(text)}))

    def client(self) -> Client:
        """Return a client of it."""
        return client_of(self)


def test_a_broken_stream_goes_on_where_it_was() -> None:
    """Each event comes once, in order, however often the connection breaks, in the middle of an event too."""
    platform = Platform(
        EVENT.format(1, "a") + "event: output\nid: 2\nda",
        EVENT.format(2, "b"),
        httpx2.Response(503),
        EVENT.format(3, "c") + DONE,
    )
    events = list(platform.client().stream("me/it", {}))
    assert "".join(map(str, events)) == "abc"
    assert [event.event for event in events][-1] is EventType.DONE
    assert platform.asked == [None, "1", "2", "2"]


@pytest.mark.anyio
async def test_both_ways_and_awaited_or_not() -> None:
    """`async for` over the call, or over what awaiting it gives, as with the official client."""
    for awaited in (False, True):
        client = Platform(EVENT.format(1, "a"), EVENT.format(2, "b") + DONE).client()
        events = client.async_stream("me/it", {})
        found = [str(event) async for event in (await events if awaited else events)]
        assert "".join(found) == "ab"


def test_an_error_of_the_model_ends_it() -> None:
    """The error is the client's own and, as in the official client, a RuntimeError; nothing is asked again."""
    platform = Platform(EVENT.format(1, "a") + "event: error\nid: 2\ndata: out of memory\n\n" + DONE)
    events = platform.client().stream("me/it", {})
    assert str(next(events)) == "a"
    with pytest.raises(RuntimeError, match="out of memory") as caught:
        next(events)
    assert isinstance(caught.value, StreamFailed)
    assert platform.asked == [None]


def test_events_that_are_not_known_are_passed_over() -> None:
    """A later platform may tell more."""
    platform = Platform("event: mood\nid: 1\ndata: x\n\n" + EVENT.format(2, "a") + DONE)
    assert [event.event for event in platform.client().stream("me/it", {})] == ["output", "done"]


def test_what_is_no_stream_is_an_error() -> None:
    """A proxy's page is not an empty output."""
    platform = Platform(httpx2.Response(200, html="<p>Sign in"))
    with pytest.raises(ReplicateError, match=r"Not a stream; .*begins: <p>Sign in"):
        list(platform.client().stream("me/it", {}))


def test_without_ids_nothing_comes_twice() -> None:
    """A stream that breaks and cannot be gone on with is an error, not a second beginning."""
    platform = Platform("event: output\ndata: a\n\n")
    events = platform.client().stream("me/it", {})
    assert str(next(events)) == "a"
    with pytest.raises(ReplicateError, match="ended before it was done"):
        next(events)
    assert platform.asked == [None]
