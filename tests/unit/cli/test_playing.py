"""The application behind `cog playground`, over a stand-in for a model."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cog_server.embedded import Completed, Event, Log, Output, OutputFile
from cogyard.cli.playing import Playground

pytestmark = pytest.mark.anyio

SCHEMA = {
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "required": ["text"],
                "properties": {
                    "text": {"type": "string", "description": "<b>whom</b>", "x-order": 0},
                    "image": {"type": "string", "format": "uri", "x-order": 1},
                },
            },
            "Output": {"type": "string"},
        }
    }
}


class Told:
    """A model that gives back what it was given."""

    def __init__(self, folder: Path) -> None:
        self.schema: Mapping[str, Any] = SCHEMA
        self.given: list[Mapping[str, Any]] = []
        self._folder = folder

    async def predict(
        self, input: Mapping[str, Any], *, context: Mapping[str, str] | None = None
    ) -> AsyncIterator[Event]:
        """Give a log, a piece, a file."""
        self.given.append(input)
        yield Log(source="stdout", data="working\n")
        yield Output(chunk=input["text"], index=0)
        path = self._folder / "made"
        path.write_text("<script>made</script>")
        file = OutputFile(path=path, name="made.html", media_type="text/html")
        yield Completed(
            id="1",
            status="succeeded",
            output={"file": file},
            error=None,
            logs="",
            metrics={"predict_time": 1},
        )


@pytest.fixture
def model(tmp_path: Path) -> Told:
    """Return a model."""
    return Told(tmp_path)


@pytest.fixture
async def client(model: Told, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of the page."""

    async def describe() -> Mapping[str, Any]:
        return model.schema

    page = Playground(model=model, name="me", scratch=tmp_path, describe=describe)
    transport = httpx2.ASGITransport(app=page.app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as found:
        yield found


def events(text: str) -> list[tuple[str, Any]]:
    """Read server-sent events."""
    return [
        (name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\nid: \d+\ndata: (.*)\n", text)
    ]


async def test_the_page_has_a_field_for_each_input(client: httpx2.AsyncClient) -> None:
    """Made from the schema, escaped, with nothing from elsewhere and nothing inline."""
    answer = await client.get("/")
    assert 'data-name="text"' in answer.text
    assert 'data-kind="file"' in answer.text
    assert "&lt;b&gt;whom" in answer.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href|data-form)="(/[^"]+)"', answer.text):
        assert (await client.get(address)).status_code == 200


async def test_a_model_without_a_document_yet_is_waited_for(client: httpx2.AsyncClient, model: Told) -> None:
    """The page says so, and asks again."""
    model.schema = {}
    text = (await client.get("/")).text
    assert "The model is starting." in text
    assert 'http-equiv="refresh"' in text


async def test_what_happens_comes_as_events(client: httpx2.AsyncClient) -> None:
    """Logs, pieces and the end, files by an address of our own that is never a page of ours."""
    answer = await client.post("/predictions", json={"input": {"text": "hello"}})
    (first, log), (second, piece), (third, end) = events(answer.text)
    assert (first, log["data"], second, piece["chunk"]) == ("log", "working\n", "output", "hello")
    assert (third, end["status"]) == ("completed", "succeeded")
    file = await client.get(end["output"]["file"])
    assert file.text == "<script>made</script>"
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_a_file_of_the_form_reaches_the_model_as_a_path(
    client: httpx2.AsyncClient, model: Told
) -> None:
    """Sent once, named by its address in the input."""
    sent = await client.post("/v1/files", files={"content": ("../a b.png", b"PNG", "image/png")})
    address = sent.json()["urls"]["get"]
    assert sent.status_code == 201
    assert (await client.get(address)).content == b"PNG"
    await client.post("/predictions", json={"input": {"text": "x", "image": address}})
    assert model.given[0]["image"].read_bytes() == b"PNG"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"input": {"text": 1}}', 422),
        (b'{"input": {}}', 422),
        (b'{"input": {"text": "x", "nope": 1}}', 422),
        (b'{"input": []}', 400),
        (b"[1]", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"", 400),
    ],
)
async def test_what_does_not_fit_is_refused(client: httpx2.AsyncClient, body: bytes, status: int) -> None:
    """With the field's name, where there is one."""
    answer = await client.post("/predictions", content=body)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["detail"][0]["loc"][:2] == ["body", "input"]


async def test_other_sites_and_other_names_are_kept_out(client: httpx2.AsyncClient, model: Told) -> None:
    """A page elsewhere cannot run the model, nor a name that was made to lead here."""
    body = {"input": {"text": "x"}}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}):
        assert (await client.post("/predictions", json=body, headers=headers)).status_code == 403
    assert (await client.get("/", headers={"host": "evil.example"})).status_code == 421
    assert (await client.get("/", headers={"host": "[::1]:1"})).status_code == 200
    assert model.given == []


async def test_unknown_files_and_too_large_ones(client: httpx2.AsyncClient) -> None:
    """There are no guesses, and there is a limit."""
    assert (await client.get("/delivery/x/y")).status_code == 404
    assert (await client.post("/v1/files", data={"content": "text"})).status_code == 422
    answer = await client.post("/predictions", content=b"{}", headers={"content-length": str(200 << 20)})
    assert answer.status_code == 413
