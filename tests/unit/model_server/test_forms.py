"""Forms and plain files are the JSON bodies they stand for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cog_server.errors import ServerError
from cog_server.forms import as_json, parts
from cog_server.validation import InputSchema
from hypothesis import given
from hypothesis import strategies as st

FILE = {"type": "string", "format": "uri"}
FORM = b"multipart/form-data; boundary=XX"


def schema(required: tuple[str, ...] = (), **properties: Any) -> InputSchema:
    """Compile the check of some inputs."""
    root = {"type": "object", "properties": properties, "required": list(required)}
    return InputSchema.compile({"components": {"schemas": {"Input": root}}})


ALL = schema(
    ("image",),
    image=FILE,
    mask=FILE,
    text={"type": "string"},
    number={"type": "integer"},
    fast={"type": "boolean"},
    words={"type": "array", "items": {"type": "string"}},
    files={"type": "array", "items": FILE},
    sizes={"type": "array", "items": {"type": "integer"}},
)


def form(*given: tuple[str, str | bytes]) -> bytes:
    """Write a form of parts: what follows the name in their first header, and their content."""
    body = b""
    for head, content in given:
        raw = content if isinstance(content, bytes) else content.encode()
        body += b"--XX\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + raw + b"\r\n"
    return body + b"--XX--\r\n"


def read(data: bytes, *, kind: bytes = FORM, query: bytes = b"", check: InputSchema = ALL) -> Any:
    """Return the input of a body."""
    return json.loads(as_json(kind, query, data, check))["input"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "5", "5"),
        ("number", "5", 5),
        ("fast", "true", True),
        ("words", "a", ["a"]),
        ("words", '["a", "b"]', ["a", "b"]),
        ("sizes", "[1, 2]", [1, 2]),
        ("sizes", "1", [1]),
        ("image", "https://example.com/a", "https://example.com/a"),
        ("unknown", "x", "x"),
        ("number", "five", "five"),
    ],
)
def test_a_text_is_what_the_schema_takes_it_for(name: str, text: str, value: Any) -> None:
    """A string where a string fits, else its JSON, else a list of one; what fits nothing is told later, by name."""
    assert read(form((f'name="{name}"', text))) == {name: value}


def test_files_become_data_urls() -> None:
    """With the type they say, else the one their name says; several of one name are a list."""
    found = read(
        form(
            ('name="image"; filename="a.png"\r\nContent-Type: image/webp', b"\x00\r\n--X\xff"),
            ('name=files; filename="b \\"1\\".png"', b"b"),
            ('name="files"; filename=""', b""),
            ('name="words"', "a"),
            ('name="words"', "1"),
        )
    )
    assert found == {
        "image": "data:image/webp;base64,AA0KLS1Y/w==",
        "files": ["data:image/png;base64,Yg==", "data:application/octet-stream;base64,"],
        "words": ["a", "1"],
    }


@pytest.mark.parametrize(
    ("kind", "check", "value"),
    [
        (b"image/png", ALL, {"image": "data:image/png;base64,aGk=", "number": 2}),
        (b"text/plain; charset=utf-8", ALL, {"text": "hi", "number": 2}),
        (b"text/csv", schema(table=FILE), {"table": "data:text/csv;base64,aGk=", "number": "2"}),
        (b"text/plain", schema(text={"type": "string", "minLength": 5}), {"text": "hi", "number": "2"}),
    ],
)
def test_a_plain_body_is_the_one_input_it_can_be(kind: bytes, check: InputSchema, value: Any) -> None:
    """The only required file, or the only one; a text for the only text. The rest is in the address."""
    found = read(b"hi", kind=kind, query=b"number=2", check=check)
    assert found == value


def test_no_body_at_all_gives_no_inputs() -> None:
    """`curl -X POST …/predictions` runs a model with its defaults, as it did with Cog until 0.16."""
    assert json.loads(as_json(None, b"", b"", ALL)) == {"input": {}}
    assert json.loads(as_json(b"", b"number=2", b"", ALL)) == {"input": {"number": 2}}


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (b"image/png", schema(a=FILE, b=FILE)),
        (b"image/png", schema(a={"type": "string"})),
        (b"image/png", InputSchema.none()),
        (b"application/x-www-form-urlencoded", ALL),
        (b"", ALL),
        (b"nonsense", ALL),
    ],
)
def test_what_is_not_clear_is_refused(kind: bytes, check: InputSchema) -> None:
    """Guessing wrong is worse than asking for JSON."""
    with pytest.raises(ServerError) as refused:
        as_json(kind, b"", b"hi", check)
    assert getattr(refused.value, "status", None) == 415


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--XX\r\n",
        form(('name="a"', "x"))[:-6],
        form(("filename=a", "x")),
        b"--XX\r\n\r\n--XX--",
        b"--XX" + b"\r\n--XX" * 1002 + b"--",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n" + b"x: y\r\n" * 3000 + b"\r\nv\r\n--XX--",
        form(('name="text"', b"\xff")),
    ],
)
def test_broken_forms_are_refused(data: bytes) -> None:
    """No end, no name, too many parts or headers, text that is none."""
    with pytest.raises(ServerError):
        as_json(FORM, b"", data, ALL)


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_any_form_is_read_or_refused(data: bytes, kind: bytes) -> None:
    """Nothing a client sends ends in another exception."""
    for body, header in ((data, FORM), (b"--XX\r\n" + data + b"\r\n--XX--", FORM), (data, kind)):
        try:
            as_json(header, data, body, ALL)
        except ServerError:
            continue


@given(st.lists(st.binary(max_size=40).filter(lambda one: b"--XX" not in one), max_size=5))
def test_content_survives(contents: list[bytes]) -> None:
    """Whatever bytes are in a part come out as they were."""
    body = form(*[('name="a"; filename="b"', one) for one in contents])
    assert [part.content for part in parts(FORM, body)] == contents
