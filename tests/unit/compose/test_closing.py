"""What still waits when the platform closes ends in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cogyard.compose.closing import Closing

pytestmark = pytest.mark.anyio


async def _answer_of(app: Any, *, answers: float) -> list[dict[str, Any]]:
    """Ask, close once the application waits, and return what was sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    closing = Closing(app)
    asking = asyncio.create_task(closing({"type": "http"}, receive, send))
    await asyncio.sleep(0)
    await closing.close(answers=answers)
    await asking
    return sent


def _app(*messages: dict[str, Any]) -> Any:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        await asyncio.Event().wait()

    return app


def _start(kind: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}


PART = {"type": "http.response.body", "body": b"x", "more_body": True}


async def test_a_stream_ends_whole() -> None:
    """A watcher reads to the end, and asks again from the event it had last."""
    sent = await _answer_of(_app(_start(b"text/event-stream"), PART), answers=0)
    assert [message.get("more_body", False) for message in sent] == [False, True, False]
    assert sent[-1]["body"] == b""


async def test_whoever_waits_for_an_answer_is_told() -> None:
    """A 503 as the API's errors are."""
    sent = await _answer_of(_app(), answers=0.01)
    assert sent[0]["status"] == 503
    assert b'"status": 503' in sent[1]["body"]


async def test_half_a_file_is_not_made_to_look_whole() -> None:
    """An answer that is no stream stays cut short: its reader must notice."""
    sent = await _answer_of(_app(_start(b"image/png"), PART), answers=0)
    assert sent == [_start(b"image/png"), PART]


async def test_a_cancellation_that_is_not_the_close_goes_on() -> None:
    """Only what `close` ended is answered."""
    closing = Closing(_app())
    asking = asyncio.create_task(closing({"type": "http"}, _app(), _app()))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await closing.close(answers=0)
