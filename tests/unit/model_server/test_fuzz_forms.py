"""Forms and plain files as inputs: what a form says arrives exactly, and any other bytes are refused in words."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from typing import Any

import pytest
from cog_server import forms, requests
from cog_server.errors import InputInvalidError, RequestError
from cog_server.validation import InputSchema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

SCHEMA = InputSchema.compile(
    {"components": {"schemas": {"Input": {"properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "scale": {"type": "number"},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "extra": {"type": "object"},
        "file": {"type": "string", "format": "uri"},
        "files": {"type": "array", "items": {"type": "string", "format": "uri"}},
    }}}}}
)  # fmt: skip
BOUNDARY = b"edge"
TYPE = b"multipart/form-data; boundary=edge"
TEXT = st.text(max_size=12) | st.sampled_from(
    ["1", "true", "null", "[]", "{}", '"a"', "data:,x", "--edge", "1e999", "NaN", "\r\n"]
)
FILE = st.binary(max_size=30).filter(lambda data: b"--edge" not in data)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT.filter(lambda text: "--edge" not in text),
    "count": st.integers(),
    "scale": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
    "numbers": st.lists(st.integers(), min_size=1, max_size=3),
    "extra": st.dictionaries(st.text(alphabet="abc", max_size=3), st.integers(), max_size=2),
    "file": FILE,
}


def part(name: str, content: bytes, *, is_file: bool) -> bytes:
    """Write one part as browsers do."""
    file = b'; filename="a.bin"\r\ncontent-type: application/x-thing' if is_file else b""
    return b'--edge\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (
        name.encode(),
        file,
        content,
    )


@settings(max_examples=examples(300), deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_a_form_says_what_json_would(values: dict[str, Any]) -> None:
    """Each value reaches the model as if it had been sent as JSON; files byte for byte."""
    body, expected = b"", {}
    for name, value in values.items():
        if isinstance(value, bytes):
            body += part(name, value, is_file=True)
            expected[name] = f"data:application/x-thing;base64,{base64.b64encode(value).decode()}"
        else:
            written = value if isinstance(value, str) else json.dumps(value)
            body += part(name, written.encode(), is_file=False)
            expected[name] = value
    found = json.loads(forms.as_json(TYPE, b"", body + b"--edge--\r\n", SCHEMA))
    assert found == {"input": expected}
    SCHEMA.check(found["input"])


PIECES = st.sampled_from(
    [
        b"--edge\r\n",
        b"--edge--\r\n",
        b"--edge",
        b"\r\n",
        b"\r\n\r\n",
        b'content-disposition: form-data; name="a"',
        b"name=a; name=b",
        b'content-disposition: form-data; filename=""; name=text',
        b"content-type: \xff/\x00",
        b"content-transfer-encoding: base64",
        b"; filename*=UTF-8''%ff",
        b'\\"',
        b"a" * 9000,
        b"\x00\xff",
        b"[" * 2000,
        b"1e999",
        b"--",
        b'content-disposition: form-data; name="\\',
    ]
)
HEADS = st.sampled_from(
    [
        TYPE,
        b"multipart/form-data",
        b'multipart/form-data; boundary="',
        b'multipart/form-data; boundary=""',
        b"multipart/form-data; boundary=" + b"x" * 100,
        b"text/plain",
        b"image/png",
        b"IMAGE/PNG; x=y",
        b"",
        b"/",
        b"a/b/c",
        b"\xff/\xff",
        b"application/json",
        b"application/x-www-form-urlencoded",
    ]
)


@settings(max_examples=examples(500), deadline=None)
@given(HEADS, st.lists(PIECES | st.binary(max_size=6), max_size=12).map(b"".join), st.binary(max_size=20))
def test_any_form_is_taken_or_refused(head: bytes, body: bytes, query: bytes) -> None:
    """No bytes under any media type end in anything but JSON that is checked as all JSON is, or a refusal."""
    try:
        found = forms.as_json(head, query, body, SCHEMA)
    except RequestError:
        return
    try:
        requests.ask(requests.parse_body(found), SCHEMA)
    except (RequestError, InputInvalidError):
        return


@pytest.mark.parametrize(
    "body",
    [
        b"--edge\r\n" * 200_000,
        b"--edg" * 400_000 + b"--edge--",
        b"--edge\r\n" + b'content-disposition: x; name="' + b'\\"' * 4000 + b"\r\n\r\n\r\n--edge--",
        b"".join(part("text", b"[" * 100, is_file=False) for _ in range(990)) + b"--edge--",
        (b"--edge\r\ncontent-disposition:" + b";name" * 1600 + b"\r\n\r\nx\r\n") * 900 + b"--edge--",
        (b"--edge\r\ncontent-disposition:" + b'; name="\\\n' * 800 + b"\r\n\r\nx\r\n") * 900 + b"--edge--",
        (b"--edge\r\ncontent-disposition:;" + b" " * 8000 + b"\r\n\r\nx\r\n") * 900 + b"--edge--",
    ],
)
def test_a_hostile_form_costs_no_more_than_its_length(body: bytes) -> None:
    """A form cannot make the server think for long either."""
    begun = time.process_time()
    with contextlib.suppress(RequestError):
        forms.as_json(TYPE, b"", body, SCHEMA)
    assert time.process_time() - begun < 3
