"""Batched predictors on the real worker: one call, an answer for each."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cog.worker import frames

if TYPE_CHECKING:
    Start = Callable[..., Any]

SYNC = """
import cog, os, time

class Predictor:
    @cog.batched(max_size=8, max_wait=0.5)
    {def} predict(self, text: list[str], seconds: list[float] = cog.Input(default=0.0)) -> list[str]:
        scope = cog.current_scope()
        cog.record_metric("size", len(text))
        scope.items[0].record_metric("first", True)
        if "raise" in text:
            raise ValueError("all of it")
        if "short" in text:
            return text[1:]
        if max(seconds):
            open("began", "w").write("x")
            {sleep}
        return [KeyError(one) if one == "bad" else one.upper() for one in text]
"""
KINDS = {
    "sync": SYNC.replace("{def}", "def").replace("{sleep}", "time.sleep(max(seconds))"),
    "async": SYNC.replace("{def}", "async def").replace(
        "{sleep}", "import asyncio; await asyncio.sleep(max(seconds))"
    ),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Name the kind of predictor."""
    return str(request.param)


def send(worker: Any, *texts: str, seconds: float = 0.0) -> None:
    """Send one batch, with tags from 1 up."""
    for tag, text in enumerate(texts, 1):
        folder = worker.out / str(tag)
        folder.mkdir(exist_ok=True, parents=True)
        request = {
            "id": f"p{tag}",
            "input": {"text": text, "seconds": seconds},
            "context": {},
            "dir": str(folder),
        }
        worker.send(frames.PREDICT, tag, {**request, **({"more": True} if tag < len(texts) else {})})


def answers(worker: Any, count: int) -> dict[int, tuple[int, Any]]:
    """Return the terminal frame of each prediction; keep the rest in `worker.others`."""
    found: dict[int, tuple[int, Any]] = {}
    worker.others = []
    while len(found) < count:
        frame, tag, payload = worker.receive()
        if frame in {frames.SUCCEEDED, frames.FAILED, frames.CANCELED}:
            assert tag not in found
            found[tag] = frame, payload
        else:
            worker.others.append((frame, tag, payload))
    return found


def test_ready_says_what_a_batch_is(start: Start, kind: str) -> None:
    """READY tells the size and the wait; the schema is that of one prediction."""
    ready = start(KINDS[kind]).ready()
    assert ready["batch"] == {"max_size": 8, "max_wait": 0.5}
    schemas = ready["schema"]["components"]["schemas"]
    assert schemas["Input"]["properties"]["text"]["type"] == "string"
    assert schemas["Input"]["properties"]["seconds"]["default"] == 0.0
    assert schemas["Output"]["type"] == "string"


def test_each_gets_its_own_answer(start: Start, kind: str) -> None:
    """Outputs go to whom they belong, an exception in the list fails that one, metrics go where they were recorded."""
    worker = start(KINDS[kind])
    worker.ready()
    send(worker, "a", "bad", "c")
    found = answers(worker, 3)
    assert [found[tag][0] for tag in (1, 2, 3)] == [frames.SUCCEEDED, frames.FAILED, frames.SUCCEEDED]
    assert (found[1][1]["output"], found[3][1]["output"]) == ("A", "C")
    assert found[2][1]["error"] == "'bad'"
    metrics = [(tag, payload["name"]) for frame, tag, payload in worker.others if frame == frames.METRIC]
    assert sorted(metrics) == [(1, "first"), (1, "size"), (2, "size"), (3, "size")]
    logs = [(tag, payload["text"]) for frame, tag, payload in worker.others if frame == frames.LOG]
    assert [tag for tag, _ in logs] == [2]
    assert "KeyError: 'bad'" in logs[0][1]


def test_an_input_that_does_not_fit_fails_alone(start: Start, kind: str) -> None:
    """The call is made with the others."""
    worker = start(KINDS[kind])
    worker.ready()
    worker.out.mkdir(exist_ok=True)
    for tag, value in ((1, {"text": "a", "seconds": "no"}), (2, {"text": "b"})):
        request = {"id": f"p{tag}", "input": value, "context": {}, "dir": str(worker.out), "more": tag == 1}
        worker.send(frames.PREDICT, tag, request)
    found = answers(worker, 2)
    assert (found[1][0], found[2][0]) == (frames.FAILED, frames.SUCCEEDED)


@pytest.mark.parametrize(("text", "error"), [("raise", "all of it"), ("short", "lists of 2 and returned 1")])
def test_what_fails_as_a_whole_fails_for_each(start: Start, kind: str, text: str, error: str) -> None:
    """An exception and a list of another length end every prediction of the batch; the next one runs."""
    worker = start(KINDS[kind])
    worker.ready()
    send(worker, "a", text)
    assert all(error in payload["error"] for _, payload in answers(worker, 2).values())
    worker.predict(9, text="on")
    assert answers(worker, 1)[9][1]["output"] == "ON"


def test_a_server_that_knows_nothing_of_batches_is_served(start: Start, kind: str) -> None:
    """A PREDICT that says no `more` is a batch of its own."""
    worker = start(KINDS[kind])
    worker.ready()
    worker.predict(1, text="a")
    assert answers(worker, 1)[1][1]["output"] == "A"


def test_one_is_canceled_at_once_and_the_others_go_on(start: Start, kind: str) -> None:
    """The canceled one is answered while the call runs."""
    worker = start(KINDS[kind])
    worker.ready()
    send(worker, "a", "b", seconds=3.0)
    worker.wait_for("began")
    begun = time.monotonic()
    worker.cancel(1, sync=kind == "sync")
    assert answers(worker, 1)[1][0] == frames.CANCELED
    assert time.monotonic() - begun < 2.8
    assert answers(worker, 1)[2][1]["output"] == "B"


def test_a_batch_that_nobody_wants_any_more_is_interrupted(start: Start, kind: str) -> None:
    """When all are canceled the code stops, and the worker lives on."""
    worker = start(KINDS[kind])
    worker.ready()
    send(worker, "a", "b", seconds=30.0)
    worker.wait_for("began")
    begun = time.monotonic()
    for tag in (1, 2):
        worker.send(frames.CANCEL, tag)
        if kind == "sync":
            worker.process.send_signal(signal.SIGUSR1)
    assert {frame for frame, _ in answers(worker, 2).values()} == {frames.CANCELED}
    assert time.monotonic() - begun < 20
    worker.predict(9, text="on")
    assert answers(worker, 1)[9][1]["output"] == "ON"
