"""A model behind HTTP gives the same events as one in process, whoever made the server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cog_server.embedded import Completed, Event, Log, Metric, Output, OutputFile
from cog_server.errors import InputInvalidError, NotReadyError
from cogyard.cli.errors import CommandError
from cogyard.cli.remote import RemoteError, RemoteModel
from cogyard.cli.running import ModelFailedError

pytestmark = pytest.mark.anyio

FILE = {"type": "string", "format": "uri"}
DATA = "data:image/png;base64,UE5H"
Answer = Callable[[httpx2.Request], httpx2.Response]


def document(output: dict[str, Any]) -> dict[str, Any]:
    """Return a model's document."""
    schemas = {"Input": {"properties": {"file": FILE}}, "Output": output, "Named": FILE}
    return {"openapi": "3.0.2", "components": {"schemas": schemas}}


def model(tmp_path: Path, answer: Answer, output: dict[str, Any] | None = None) -> RemoteModel:
    """Return a model whose server answers so."""
    transport = httpx2.MockTransport(answer)
    return RemoteModel("http://model", tmp_path, document(output or {}), transport=transport)


def stream(*events: tuple[str, Any]) -> Answer:
    """Answer with server-sent events."""
    text = "".join(f"event: {name}\nid: 1\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return lambda _request: httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


async def run(found: RemoteModel, **values: Any) -> list[Event]:
    """Run a prediction to its end."""
    try:
        return [event async for event in found.predict(values)]
    finally:
        await found.aclose()


async def test_events_are_passed_on(tmp_path: Path) -> None:
    """Logs, metrics, pieces and the end, as they come."""
    answer = stream(
        ("start", {"id": "1"}),
        ("log", {"source": "stderr", "data": "x\n"}),
        ("metric", {"name": "n", "value": 1, "mode": "replace"}),
        ("output", {"chunk": "a", "index": 0}),
        (
            "completed",
            {"id": "1", "status": "succeeded", "output": ["a"], "logs": "x\n", "metrics": {"m": 2}},
        ),
    )
    log, metric, piece, end = await run(model(tmp_path, answer))
    assert isinstance(log, Log)
    assert isinstance(metric, Metric)
    assert isinstance(piece, Output)
    assert isinstance(end, Completed)
    assert (log.data, metric.value, piece.chunk, end.output, end.metrics) == ("x\n", 1, "a", ["a"], {"m": 2})


async def test_a_server_that_does_not_stream_is_asked_again(tmp_path: Path) -> None:
    """Cog's own says 406; its logs come from the answer then."""
    asked = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["accept"])
        if len(asked) == 1:
            return httpx2.Response(406, json={"error": "no streaming"})
        return httpx2.Response(200, json={"id": "1", "status": "succeeded", "output": 1, "logs": "words\n"})

    log, end = await run(model(tmp_path, answer))
    assert asked == ["text/event-stream", "application/json"]
    assert isinstance(log, Log)
    assert isinstance(end, Completed)
    assert (log.data, end.output) == ("words\n", 1)


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (FILE, DATA),
        ({"type": "array", "items": FILE}, [DATA]),
        ({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/Named"}}}, {"a": DATA}),
        ({"type": "object", "additionalProperties": FILE}, {"b": DATA}),
        ({"anyOf": [{"type": "integer"}, FILE]}, DATA),
        ({"allOf": [{"$ref": "#/components/schemas/Named"}]}, DATA),
    ],
)
async def test_data_urls_become_files_where_the_schema_has_them(
    tmp_path: Path, output: dict[str, Any], value: Any
) -> None:
    """At any depth, with a name that fits."""
    end = (
        await run(model(tmp_path, stream(("completed", {"status": "succeeded", "output": value})), output))
    )[-1]
    assert isinstance(end, Completed)
    found = end.output
    while isinstance(found, list | dict):
        found = next(iter(found.values() if isinstance(found, dict) else found))
    assert isinstance(found, OutputFile)
    assert (found.path.read_bytes(), found.name, found.media_type) == (b"PNG", "output.png", "image/png")


@pytest.mark.parametrize("value", [DATA, "https://example.com/x.png", "data:nonsense"])
async def test_other_texts_stay_texts(tmp_path: Path, value: str) -> None:
    """A text output may look like a data URL, and an address is not fetched."""
    output = {"type": "string"} if value == DATA else FILE
    end = (
        await run(model(tmp_path, stream(("completed", {"status": "succeeded", "output": value})), output))
    )[-1]
    assert isinstance(end, Completed)
    assert end.output == value


async def test_files_go_as_data_urls(tmp_path: Path) -> None:
    """The server cannot see this machine's files."""
    (tmp_path / "a.png").write_bytes(b"PNG")
    bodies: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return stream(("completed", {"status": "succeeded"}))(request)

    await run(model(tmp_path, answer), file=tmp_path / "a.png", list=[tmp_path / "a.png"], n=3_000_000_001)
    sent = bodies[0]["input"]
    assert sent == {"file": DATA, "list": [DATA], "n": 3_000_000_001}
    assert base64.b64decode(sent["file"].partition(",")[2]) == b"PNG"


async def test_a_refused_input_is_an_input_error(tmp_path: Path) -> None:
    """With the places that the server names."""
    detail = [{"loc": ["body", "input", "n"], "msg": "is wrong", "type": "x"}]
    with pytest.raises(InputInvalidError) as caught:
        await run(model(tmp_path, lambda _request: httpx2.Response(422, json={"detail": detail})))
    assert [(one.loc, one.message) for one in caught.value.problems] == [(("body", "input", "n"), "is wrong")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _request: httpx2.Response(409, json={"error": "At capacity"}), "busy: At capacity"),
        (lambda _request: httpx2.Response(502, text="<html>"), "not JSON"),
        (lambda _request: httpx2.Response(500, json=[1]), "not an object"),
        (stream(("log", {"data": "x"})), "before the prediction was complete"),
        (stream(("error", {"error": "fell behind"})), "fell behind"),
    ],
)
async def test_what_goes_wrong_is_said(tmp_path: Path, answer: Answer, words: str) -> None:
    """In words, never as a traceback."""
    with pytest.raises(RemoteError, match=words):
        await run(model(tmp_path, answer))


async def test_a_connection_that_breaks_is_said(tmp_path: Path) -> None:
    """The kind of failure is named."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("gone", request=request)

    with pytest.raises(RemoteError, match=r"broke off .*ReadError"):
        await run(model(tmp_path, answer))


async def test_a_setup_that_fails_ends_the_wait(tmp_path: Path) -> None:
    """As does a check that says the container has ended, and a time that is up."""

    def health(status: str) -> Answer:
        return lambda _request: httpx2.Response(200, json={"status": status})

    with pytest.raises(ModelFailedError, match="setup failed"):
        await model(tmp_path, health("SETUP_FAILED")).wait(lambda: None)
    with pytest.raises(ModelFailedError, match=r"longer than 0\.01 s"):
        await model(tmp_path, health("STARTING")).wait(lambda: None, setup_timeout=0.01)

    def ended() -> None:
        raise RemoteError("the container ended")

    with pytest.raises(RemoteError, match="ended"):
        await model(tmp_path, health("STARTING")).wait(ended)
    await model(tmp_path, health("BUSY")).wait(lambda: None)


async def test_a_model_that_is_not_ready_says_so_in_its_own_kind(tmp_path: Path) -> None:
    """Whoever can wait, waits: `cog test` does after a worker died."""
    with pytest.raises(NotReadyError, match="starting again"):
        await run(model(tmp_path, lambda _request: httpx2.Response(503, json={"detail": "starting again"})))


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"status": "SETUP_FAILED", "error": "No module named 'x'"}, "did not start: No module named 'x'"),
        ({"status": "DEFUNCT"}, "did not start: its setup failed"),
        (None, "Nothing answers at http://model"),
        ({"status": "STARTING"}, ""),
    ],
)
async def test_why_there_is_no_document_is_told(
    tmp_path: Path, health: dict[str, str] | None, said: str
) -> None:
    """The page of `cog playground` says it, instead of waiting for a model that will not come."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if health is None:
            raise httpx2.ConnectError("refused", request=request)
        ready = request.url.path == "/health-check"
        return httpx2.Response(200 if ready else 503, json=health)

    found = model(tmp_path, answer)
    if said:
        with pytest.raises(CommandError, match=said):
            await found.describe()
    else:
        assert await found.describe() == {}
    await found.aclose()
