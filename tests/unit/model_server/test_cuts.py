"""What is cut out of a body before it is read, and heads that are known already."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cog_server.errors import InputInvalidError
from cog_server.front import again
from cog_server.inputs.cuts import SMALLEST, Cut, Cuts
from cog_server.requests import UncutError, ask, cut, parse_body
from cog_server.validation import InputSchema
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = InputSchema.compile(
    {
        "components": {
            "schemas": {
                "Input": {
                    "properties": {
                        "file": {"type": "string", "format": "uri"},
                        "text": {"type": "string"},
                    }
                }
            }
        }
    }
)
DATA = bytes(range(256)) * 1024
URL = "data:image/png;base64," + base64.b64encode(DATA).decode()


def body(**given: object) -> bytes:
    """Return a request's body."""
    return json.dumps({"id": "a", "input": given}).encode()


def test_a_large_file_is_cut_out_and_stands_whole_in_what_is_shown(tmp_path: Path) -> None:
    """The file is what was sent, and the answer shows the input as it was sent."""
    sent = body(text="hi", file=URL)
    cuts = cut(sent, SCHEMA)
    assert cuts is not None
    assert len(cuts.slim) < 300
    asked, _ = ask(parse_body(cuts.slim), SCHEMA, cuts=cuts)
    assert json.loads(bytes(asked.shown_input)) == {"text": "hi", "file": URL}
    place = asked.places[0]
    assert isinstance(place.value, Cut)
    stored = place.value.store(tmp_path)
    assert (stored.name, stored.read_bytes()) == ("input.png", DATA)


def test_two_files_are_cut_out_each_to_its_place(tmp_path: Path) -> None:
    """Several cuts keep their order."""
    other = "data:;base64," + base64.b64encode(DATA[::-1]).decode()
    cuts = Cuts(json.dumps([URL, "x", other]).encode())
    first, _, second = json.loads(cuts.slim)
    for index, value, expected in ((0, first, DATA), (1, second, DATA[::-1])):
        found = cuts.find(value)
        assert found is not None
        (tmp_path / str(index)).mkdir()
        assert found.store(tmp_path / str(index)).read_bytes() == expected
    assert bytes(cuts.restore(cuts.slim)) == json.dumps([URL, "x", other]).encode()


def test_what_is_no_file_is_not_cut() -> None:
    """A data URL in a text input, or under a name given twice, is read as it stands."""
    sent = body(text=URL)
    cuts = cut(sent, SCHEMA)
    with pytest.raises(UncutError):
        ask(parse_body(cuts.slim if cuts else b""), SCHEMA, cuts=cuts)
    twice = f'{{"input": {{"file": "{URL}", "file": "{URL}"}}}}'.encode()
    cuts = cut(twice, SCHEMA)
    with pytest.raises(UncutError):
        ask(parse_body(cuts.slim if cuts else b""), SCHEMA, cuts=cuts)


@pytest.mark.parametrize(
    "odd",
    ["*" + "A" * 3, "AA=A", "A", "\\u0041AA", "\\nAAA", "\nAAA", "é"],
)  # fmt: skip
def test_what_is_not_plain_base64_is_left_to_the_ordinary_way(odd: str) -> None:
    """Escapes, line breaks, padding in the middle and other letters are not cut."""
    sent = f'{{"input": {{"file": "data:;base64,{odd}{"A" * SMALLEST}"}}}}'.encode()
    assert cut(sent, SCHEMA) is None
    quoted = f'{{"input": {{"file": "say \\"data:;base64,{"A" * SMALLEST}"}}}}'.encode()
    assert cut(quoted, SCHEMA) is None


def test_problems_are_told_as_ever() -> None:
    """An unknown input beside a large file is refused."""
    cuts = cut(body(file=URL, fiel=1), SCHEMA)
    assert cuts is not None
    with pytest.raises(InputInvalidError):
        ask(parse_body(cuts.slim), SCHEMA, cuts=cuts)


HEAD = (
    b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n"
)
HEADERS = [(b"host", b"x"), (b"content-length", b"2"), (b"content-type", b"application/json")]


@given(st.binary(max_size=200))
def test_a_known_head_gives_the_next_body(data: bytes) -> None:
    """Only the length may differ; it is in the headers as it was sent."""
    head = again.remember(HEAD % 2 + b"{}", b"/predictions", HEADERS, b"{}")
    assert head is not None
    found = head.match(HEAD % len(data) + data)
    assert found is not None
    assert found[1] == data
    assert dict(found[0])[b"content-length"] == b"%d" % len(data)
    assert head.match(HEAD % len(data) + data + b"x") is None
    assert head.match(HEAD % (len(data) + 1) + data) is None
    assert head.match(HEAD.replace(b"x", b"y") % len(data) + data) is None


@pytest.mark.parametrize(
    "line",
    [b"Expect: 100-continue", b"Connection: close", b"Transfer-Encoding: chunked", b"Content-Length: 2"],
)
def test_a_head_that_asks_for_more_is_never_known(line: bytes) -> None:
    """What needs the parser gets it every time."""
    data = (HEAD % 2).replace(b"Host: x", b"Host: x\r\n" + line) + b"{}"
    headers = [*HEADERS, (line.partition(b":")[0].lower(), b"")]
    assert again.remember(data, b"/predictions", headers, b"{}") is None
