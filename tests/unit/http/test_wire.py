"""Addresses, cursors, problems and bodies, as a client meets them."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cogyard.domain.fileref import FileRef
from cogyard.domain.paging import Slice, Window
from cogyard.http import Addresses, InvalidError, page, window
from cogyard.http.bodies import read_json
from cogyard.http.errors import BadRequestError, BusyError, TooLargeError, UnsupportedMediaError
from cogyard.http.problems import problem_of
from starlette.applications import Starlette
from starlette.requests import Request

pytestmark = pytest.mark.anyio
TOKEN = "0" * 32


def request(
    headers: dict[str, str] | None = None, *, query: str = "", body: bytes = b"", **settings: Any
) -> Request:
    """Make a request as a server would pass it on."""
    app = Starlette()
    app.state.web = SimpleNamespace(**settings)
    chunks = [body[:5], body[5:]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()
        ],
        "server": ("10.0.0.9", 8000),
        "app": app,
    }
    return Request(scope, receive)


def test_addresses_begin_where_the_client_came_in() -> None:
    """The Host header of the request is the base, port and all."""
    addresses = Addresses.of(request({"host": "models.example:5100"}))
    assert addresses.api("/predictions") == "http://models.example:5100/v1/predictions"
    assert (
        addresses.delivery(FileRef(TOKEN, "a b.png"))
        == f"http://models.example:5100/delivery/{TOKEN}/a%20b.png"
    )


@pytest.mark.parametrize("host", ["", "a b", "evil.com/x", 'x"><script>', "a@b", "host:99999999", "é"])
def test_a_host_header_that_is_none_is_not_repeated(host: str) -> None:
    """A hostile Host header never gets into an address."""
    assert Addresses.of(request({"host": host})).base == "http://10.0.0.9:8000"


def test_the_public_address_wins_and_forwarded_headers_are_nobodys_here() -> None:
    """What a trusted proxy says has become scheme and Host before; what is left of such headers is a stranger's."""
    headers = {"host": "inner:80", "x-forwarded-host": "outer.example", "x-forwarded-proto": "https"}
    assert Addresses.of(request(headers)).base == "http://inner:80"
    assert Addresses.of(request(headers, public_url="https://set.example/")).base == "https://set.example"


def test_a_page_links_to_its_neighbours_with_cursors_that_read_back() -> None:
    """`next` and `previous` are absolute and opaque, and keep the query (wire gotcha 10)."""
    shaped = page(
        request({"host": "h"}),
        Slice(items=(1, 2), next=("b",), previous=("a",)),
        str,
        path="/predictions",
        source="web",
        created_after=None,
    )
    assert shaped["results"] == ["1", "2"]
    base, _, query = shaped["next"].partition("?")
    assert base == "http://h/v1/predictions"
    assert query.startswith("source=web&cursor=")
    assert window(request(query=query), limit=2) == Window(limit=2, key=("b",))
    previous = shaped["previous"].partition("?")[2]
    assert window(request(query=previous), limit=2) == Window(limit=2, key=("a",), backwards=True)


@pytest.mark.parametrize("cursor", ["x", "!!!!", "W10", "WyJmIixbMV1d", "A" * 600, "WyJ4IixbImEiXV0", "é"])
def test_a_cursor_that_we_never_gave_is_refused(cursor: str) -> None:
    """Hostile cursors are a 400, not a query."""
    with pytest.raises(BadRequestError):
        window(request(query=f"cursor={cursor}"), limit=2)


def test_problems_list_what_is_wrong() -> None:
    """Every wrong field is in the document."""
    response = problem_of(InvalidError("bad", problems=[("input.scale", "must be at most 4")]), request())
    body = msgspec.json.decode(response.body)
    assert response.headers["content-type"] == "application/problem+json"
    assert body["status"] == 422
    assert body["invalid_fields"][0]["field"] == "input.scale"


def test_busy_says_when_to_come_back() -> None:
    """429 carries Retry-After, or clients guess (wire gotcha 19)."""
    assert problem_of(BusyError("full", retry_after=3), request()).headers["retry-after"] == "3"


def test_an_unexpected_error_says_nothing_of_itself() -> None:
    """The text of a bug is for the log."""
    response = problem_of(RuntimeError("the secret path"), request({"X-Request-Id": "from-a-proxy:1"}))
    assert response.status_code == 500
    assert b"secret" not in response.body
    assert response.headers["x-request-id"] == "from-a-proxy:1"
    for forged in ("two words", "x" * 65, 'a"b'):
        name = problem_of(RuntimeError("x"), request({"X-Request-Id": forged})).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{16}", name)


async def test_a_body_over_the_limit_is_refused() -> None:
    """Both by its announced length and by what comes."""
    with pytest.raises(TooLargeError):
        await read_json(request({"content-length": "99"}), dict, limit=8)
    with pytest.raises(TooLargeError):
        await read_json(request(body=b'{"a": "bcdefg"}'), dict, limit=8)


async def test_only_json_counts_as_json() -> None:
    """A form that a browser sends unasked is never read as JSON."""
    with pytest.raises(UnsupportedMediaError):
        await read_json(request({"content-type": "text/plain"}, body=b"{}"), dict)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xff", b'{"a":' + b"[" * 100_000])
async def test_broken_json_is_a_400(body: bytes) -> None:
    """Cut off, not UTF-8 or absurdly deep: refused, never a crash."""
    with pytest.raises(BadRequestError):
        await read_json(request(body=body), dict)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (r"\ud800", True),
        (r"\uDFff", True),
        (r"x\ud800 and more text", True),
        (r"\ud800\u0041", True),
        (r"\\\ud800", True),
        (r"\ud83d\ude00\ude00", True),
        (r"\ud83d\ude00\x", False),
        (r"\\ud800\x", False),
        (r"\x", False),
    ],
)
async def test_half_a_character_is_called_that(text: str, half: bool) -> None:
    """Nobody is told that a whole body was cut off; what is broken otherwise is not called so."""
    with pytest.raises(BadRequestError) as refused:
        await read_json(request(body=b'{"a": "' + text.encode() + b'"}'), dict)
    assert ("half of a character" in refused.value.message) is half


async def test_escapes_of_whole_characters_are_text() -> None:
    """A pair is one character, and an escaped backslash begins none."""
    read = await read_json(request(body=rb'{"a": "\ud83d\ude00 \\ud800"}'), dict)
    assert read == {"a": "\N{GRINNING FACE} \\ud800"}


async def test_looking_for_half_a_character_holds_up_nobody() -> None:
    """However much was sent."""
    began = time.process_time()
    with pytest.raises(BadRequestError):
        await read_json(request(body=b'"' + b"\\" * 20_000_001), dict)
    assert time.process_time() - began < 1


async def test_json_of_another_shape_is_a_422() -> None:
    """The message says where."""
    with pytest.raises(InvalidError):
        await read_json(request(body=b"[]"), dict)
