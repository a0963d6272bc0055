"""Reading prediction requests."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cog_server.errors import InputInvalidError, RequestError
from cog_server.requests import Hook, Wants, ask, parse_body, same_input
from cog_server.validation import InputSchema
from hypothesis import given
from hypothesis import strategies as st

FREE = InputSchema.none()


def asked(**body: Any) -> Any:
    """Parse and check a body."""
    return ask(parse_body(json.dumps(body).encode()), FREE)


def test_a_full_request_is_understood() -> None:
    """Every field of the specification arrives."""
    one, hook = asked(
        id="a-b_1",
        input={"x": 1},
        created_at="2026-01-01T00:00:00Z",
        context={"trace": "1"},
        webhook="https://example.com/hook",
        webhook_events_filter=["start", "completed"],
        output_file_prefix="http://127.0.0.1:9/put/",
    )
    assert (one.id, one.value, one.input_raw) == ("a-b_1", {"x": 1}, b'{"x": 1}')
    assert (one.created_at, one.context, one.prefix) == (
        "2026-01-01T00:00:00Z",
        {"trace": "1"},
        "http://127.0.0.1:9/put/",
    )
    assert hook == Hook("https://example.com/hook", frozenset({"start", "completed"}))


@pytest.mark.parametrize("moment", ["yesterday", "", 5, "2026-02-30T00:00:00Z", {}])
def test_a_created_at_that_is_no_time_is_refused(moment: Any) -> None:
    """It is shown to everybody who reads the prediction, so it has to be one."""
    with pytest.raises(InputInvalidError) as caught:
        asked(created_at=moment)
    assert caught.value.problems[0].loc == ("body", "created_at")


def test_the_input_s_bytes_pass_through_unchanged() -> None:
    """What the client wrote is what the worker reads: numbers keep every digit."""
    raw = b'{"n": 3.14159265358979323846264338327950288, "i": 123456789012345678901234567890}'
    one, _ = ask(parse_body(b'{"input": ' + raw + b"}"), FREE)
    assert one.input_raw == raw


@pytest.mark.parametrize("body", [b"{}", b'{"input": null}', b'{"input": {}}'])
def test_an_absent_input_is_empty(body: bytes) -> None:
    """No input, null and {} are the same."""
    one, _ = ask(parse_body(body), FREE)
    assert one.value == {}
    assert one.input_raw == b"{}"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"input": [1]}, ("body", "input")),
        ({"input": "x"}, ("body", "input")),
        ({"id": "../x"}, ("body", "id")),
        ({"context": {"a": 1}}, ("body", "context")),
        ({"context": {"a": "x" * 70_000}}, ("body", "context")),
        ({"webhook": "ftp://x"}, ("body", "webhook")),
        ({"webhook": 3}, ("body", "webhook")),
        ({"webhook": "http://x", "webhook_events_filter": ["started"]}, ("body", "webhook_events_filter")),
        ({"webhook": "http://x", "webhook_events_filter": "start"}, ("body", "webhook_events_filter")),
        ({"output_file_prefix": "/etc"}, ("body", "output_file_prefix")),
    ],
)
def test_wrong_fields_are_told_by_place(body: dict[str, Any], loc: tuple[str, ...]) -> None:
    """A field of the wrong kind is a 422 that names it."""
    with pytest.raises(InputInvalidError) as caught:
        asked(**body)
    assert caught.value.problems[0].loc == loc


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nope", b'{"input": {"x": NaN}}', b'{"input": {"x": }}', b"\xff\xfe"]
)
def test_what_is_not_json_is_a_400(body: bytes) -> None:
    """Malformed JSON is refused as such."""
    with pytest.raises(RequestError) as caught:
        ask(parse_body(body), FREE)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"[]", b"3", b"null"])
def test_json_that_is_no_object_is_a_422(body: bytes) -> None:
    """A body must be an object."""
    with pytest.raises(InputInvalidError):
        parse_body(body)


def test_deep_nesting_is_refused_and_brackets_in_strings_are_not() -> None:
    """A body nested beyond the limit is a 400; many brackets in text are just text."""
    with pytest.raises(RequestError, match="200 levels"):
        parse_body(b'{"input":{"x":' + b"[" * 500 + b"]" * 500 + b"}}")
    with pytest.raises(RequestError):
        parse_body(b'{"input":' + b"[" * 100_000)
    one, _ = ask(parse_body(b'{"input":{"x":"' + b"[{" * 500 + b'\\"["}}'), FREE)
    assert len(one.value["x"]) == 1002


def test_the_id_of_the_url_wins_and_must_not_be_contradicted() -> None:
    """PUT takes the id from the URL; a different one in the body is refused."""
    one, _ = ask(parse_body(b"{}"), FREE, url_id="abc")
    assert one.id == "abc"
    with pytest.raises(InputInvalidError, match="the id in the body"):
        ask(parse_body(b'{"id":"other"}'), FREE, url_id="abc")


@pytest.mark.parametrize(
    ("headers", "no_wait", "seconds", "events"),
    [
        ([], False, None, False),
        ([(b"prefer", b"respond-async")], True, None, False),
        ([(b"prefer", b"respond-async, wait=5")], True, 5.0, False),
        ([(b"prefer", b"wait=60")], False, 60.0, False),
        ([(b"prefer", b"handling=lenient,  Respond-Async")], True, None, False),
        ([(b"prefer", b"wait=x")], False, None, False),
        ([(b"prefer", b"respond-asynchronously")], False, None, False),
        ([(b"accept", b"text/event-stream")], False, None, True),
        ([(b"accept", b"application/json, Text/Event-Stream;q=0.9")], False, None, True),
    ],
)
def test_headers_say_how_the_answer_is_wanted(
    headers: list[tuple[bytes, bytes]], no_wait: bool, seconds: float | None, events: bool
) -> None:
    """Prefer and Accept are read alone and in lists, in any case."""
    wants = Wants(headers)
    assert (wants.no_wait, wants.seconds, wants.events) == (no_wait, seconds, events)


@pytest.mark.parametrize(
    ("media_type", "accepted"),
    [
        (b"application/json", True),
        (b"Application/JSON; charset=utf-8", True),
        (b"text/plain", False),
        (b"application/jsonx", False),
        (b"multipart/form-data", False),
    ],
)
def test_only_json_is_taken(media_type: bytes, accepted: bool) -> None:
    """The content type decides, parameters aside."""
    assert Wants([(b"content-type", media_type)]).is_json is accepted


def test_inputs_are_compared_as_json_values() -> None:
    """Order and spacing make no difference; values do."""
    assert same_input({"a": 1, "b": [2]}, b'{ "b": [2], "a": 1 }')
    assert not same_input(b'{"a": 1}', b'{"a": 2}')


@given(st.binary(max_size=100))
def test_any_body_is_taken_or_refused(data: bytes) -> None:
    """No bytes make the parser fail in another way than by a refusal."""
    with contextlib.suppress(RequestError, InputInvalidError):
        ask(parse_body(data), FREE)
