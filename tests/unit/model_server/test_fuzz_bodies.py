# ruff: noqa: D102, RUF001 - stand-ins; tables; digits that are none
"""Bodies, headers, names, URLs and files from strangers: taken or refused in words, and in linear time."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from cog_server import requests
from cog_server.errors import InputFetchError, InputInvalidError, RequestError, ServerError
from cog_server.inputs import data_urls
from cog_server.inputs.addresses import AddressRule, target
from cog_server.inputs.prepare import FilePlace, prepare
from cog_server.names import media_type_of, name_from_url, safe_name
from cog_server.validation import InputSchema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

ODD_TEXT = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ["²", "٣", "0x1", "1_0", "", "\ud800", "\x00", "a\r\nb: c", "../..", "%00", "NaN", "1e999", "９"]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
FIELDS = [
    "input",
    "id",
    "created_at",
    "context",
    "webhook",
    "webhook_events_filter",
    "output_file_prefix",
    "other",
]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' + b"[]" * 300 + b'"' + b'\\"' * 200_000,
        b'{"a":' + b"[]" * 300 + b'"' + b"\\" * 400_001,
        b"[" * 400_000,
        b'{"input":"' + b"[" * 400_000 + b'"}',
        b'"' * 400_001 + b"[" * 300,
        (b'"\\' * 200_000) + b"[" * 300,
    ],
)
def test_a_hostile_body_costs_no_more_than_its_length(body: bytes) -> None:
    """No body makes the one thread that serves everybody think for long: quadratic time would be minutes here."""
    begun = time.process_time()
    with pytest.raises(ServerError):
        requests.ask(requests.parse_body(body), InputSchema.none())
    assert time.process_time() - begun < 2


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4), st.data())
def test_any_body_is_asked_for_or_refused(fields: dict[str, Any], data: st.DataObject) -> None:
    """Whatever stands in a request's fields, also with a byte changed, ends in a prediction or a refusal."""
    body = bytearray(json.dumps(fields).encode())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2)):
        body[at % len(body)] = byte
    try:
        asked, hook = requests.ask(requests.parse_body(bytes(body)), InputSchema.none())
    except (RequestError, InputInvalidError):
        return
    assert msgspec.json.decode(asked.input_raw) == asked.value
    assert hook is None or urlsplit(hook.url).scheme in ("http", "https")


HEADER = st.binary(max_size=20) | st.sampled_from(
    [
        b"respond-async",
        b"wait=5",
        b"wait=\xb2",
        b"respond-async, wait=99999999",
        b"wait=-1",
        b"wait=",
        b",,,",
        b"wait=1.5",
    ]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"prefer", b"accept", b"content-type", b"content-length", b"last-event-id"]),
            HEADER,
        ),
        max_size=5,
    )
)
def test_any_header_is_read_or_passed_over(headers: list[tuple[bytes, bytes]]) -> None:
    """No header breaks the reading of what a client wants."""
    wants = requests.Wants(headers)
    assert wants.seconds is None or 0 <= wants.seconds < 1e7
    requests.wants_async(requests.header(headers, b"prefer"))


@given(ODD_TEXT | st.text(max_size=300), ODD_TEXT)
def test_any_name_becomes_one_component_that_can_be_made(text: str, media_type: str) -> None:
    """A name never leaves its folder, can be encoded, and fits any file system; odd media types have no suffix."""
    for name in (
        safe_name(text),
        name_from_url("http://h/" + text, media_type),
        name_from_url(text, media_type),
    ):
        assert name
        assert os.path.basename(name) == name  # noqa: PTH119 - the platform's own idea of a component
        assert name not in (".", "..")
        assert len(name.encode()) <= 160
        assert not set(name) & set("\x00\r\n/\\")
        assert "/" in media_type_of(name)


def as_url(media_type: str, data: bytes) -> str:
    """Return bytes as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@settings(deadline=None)
@given(st.text(max_size=30), st.binary(max_size=40), st.booleans())
def test_any_data_url_is_bytes_or_refused(header: str, data: bytes, valid: bool) -> None:
    """A data URL of any header gives bytes or InputFetchError; one of ours gives back what went in."""
    if valid:
        assert data_urls.parse(as_url("image/png", data)).data == data
    url = f"data:{header};base64,{data.decode('latin-1')}"
    try:
        found = data_urls.parse(url)
    except InputFetchError:
        return
    assert isinstance(found.data, bytes)


class NoFetcher:
    """Fetches nothing: every other kind of address is refused."""

    async def fetch(self, url: str, folder: Path) -> Path:
        raise InputFetchError("not here")


MEDIA = st.sampled_from(
    ["", "text/plain", "image/png", "../../etc", "a/b;name=../x", "\x00/\x00", "x" * 600, "/etc/passwd"]
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(MEDIA, st.binary(max_size=8), st.booleans()), max_size=4))
def test_files_of_any_media_type_stay_in_their_folder(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, bytes, bool]]
) -> None:
    """What a data URL calls itself decides nothing about where it is put."""
    folder = tmp_path_factory.mktemp("prediction")
    urls = [as_url(media, data) for media, data, _ in files]
    urls = [url if good else "http://elsewhere/" for url, (_, _, good) in zip(urls, files, strict=True)]
    places = [FilePlace((str(number),), url) for number, url in enumerate(urls)]
    value = {str(number): url for number, url in enumerate(urls)}
    try:
        prepared = asyncio.run(prepare(value, places, folder, NoFetcher()))  # type: ignore[arg-type]
    except InputInvalidError:
        return
    for number, (_, data, _) in enumerate(files):
        path = Path(prepared[str(number)]["$cog.file"]["path"])
        assert path.resolve().is_relative_to(folder.resolve())
        assert path.read_bytes() == data


URLS = st.builds(
    lambda scheme, host, rest: f"{scheme}{host}{rest}",
    st.sampled_from(
        ["http://", "https://", "HTTP://", "http:", "//", "ftp://", "http://u:p@", "http://[", ""]
    ),
    ODD_TEXT
    | st.ip_addresses().map(str)
    | st.sampled_from(["a:99999", "a:-1", "a:x", "[::1]", "[::1", "0x7f.1", "2130706433"]),
    ODD_TEXT,
)


@given(URLS, URLS)
def test_any_address_is_judged(url: str, hosts: str) -> None:
    """Any text for a URL is a target or refused, and no list of hosts exempts what it does not name."""
    try:
        where = target(url)
    except InputFetchError:
        return
    assert where.host
    if AddressRule.parse(hosts).exempts(where):
        assert where.host in hosts.lower()
    with pytest.raises(InputFetchError):
        AddressRule.parse(None).check(where, ["127.0.0.1"])
