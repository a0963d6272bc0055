"""What clients send: the body of a prediction request and the headers that matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from mmap import mmap
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from cog_server import ids, origin
from cog_server.asked import Asked
from cog_server.checks import shown
from cog_server.errors import InputInvalidError, Problem, RequestError
from cog_server.formats import is_of_form
from cog_server.inputs.cuts import SMALLEST, Cut, Cuts
from cog_server.inputs.prepare import FilePlace
from cog_server.validation import InputSchema
from cog_server.webhooks import EVENTS

MAX_DEPTH = 200
"""Levels of nesting in a body: below what any JSON reader on the way gives up at."""
MAX_CONTEXT = 64 * 1024

_EMPTY = msgspec.Raw(b"{}")


class Body(msgspec.Struct):
    """A request body. Only the input is kept as it came; the rest is small and checked by hand, for good messages."""

    input: msgspec.Raw = _EMPTY
    id: Any = None
    created_at: Any = None
    context: Any = None
    webhook: Any = None
    webhook_events_filter: Any = None
    output_file_prefix: Any = None


class Hook(NamedTuple):
    """Where a prediction's webhooks go, and which."""

    url: str
    events: frozenset[str]


_body = msgspec.json.Decoder(Body)
_any = msgspec.json.Decoder()


def parse_body(data: bytes) -> Body:
    """Decode a body. Raises RequestError (400) when it is not JSON, InputInvalidError when it is no object."""
    try:
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            _check_depth(data)
        return _body.decode(data)
    except msgspec.ValidationError as exc:
        raise InputInvalidError([Problem(("body",), str(exc), "type_error")]) from exc
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise RequestError(f"The body is not JSON: {exc}") from exc


def _check_depth(data: bytes) -> None:
    """Refuse a body that is nested too deeply; strings do not count.

    A string need not end: with a closing quote required, one that has none would be searched again from each of its
    escaped quotes, in quadratic time.
    """
    depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', data, re.DOTALL):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise RequestError(f"The body is nested more than {MAX_DEPTH} levels deep")
        elif first in b"]}":
            depth -= 1


def cut(data: bytes | mmap, schema: InputSchema) -> Cuts | None:
    """Cut large data URLs out of a body, when there are any and the model takes files."""
    if len(data) < SMALLEST or not schema.has_files or schema.secrets:
        return None
    return Cuts(data) or None


def ask(
    body: Body, schema: InputSchema, *, url_id: str | None = None, cuts: Cuts | None = None
) -> tuple[Asked, Hook | None]:
    """Return what is asked for, checked against the model's schema. Raises InputInvalidError or RequestError.

    Raises UncutError when something was cut out that is no file.
    """
    problems: list[Problem] = []
    chosen = _id(body.id, url_id)
    raw: bytes | memoryview = bytes(body.input)
    try:
        value = _any.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise RequestError(f"The input is not JSON: {exc}") from exc
    if value is None:
        value, raw = {}, b"{}"
    if not isinstance(value, dict):
        found = f"the input must be an object, got {shown(value)}"
        raise InputInvalidError([Problem(("body", "input"), found, "type_error.dict")])
    places = schema.check(value)
    if cuts is not None:
        places, raw = _refill(places, bytes(raw), cuts)
    context = None if body.context is None else _context(body.context, problems)
    hook = None if body.webhook is None else _hook(body, problems)
    prefix = body.output_file_prefix
    if prefix is not None and not _is_http(prefix):
        problems.append(Problem(("body", "output_file_prefix"), "must be an http(s) URL", "value_error.url"))
    moment = body.created_at
    if moment is not None and not (isinstance(moment, str) and is_of_form("date-time", moment)):
        said = "must be a date and time such as 2026-11-26T15:04:05Z"
        problems.append(Problem(("body", "created_at"), said, "value_error.datetime"))
    if problems:
        raise InputInvalidError(problems)
    asked = Asked(
        id=chosen,
        own_id=url_id is None and body.id is None,
        value=value,
        input_raw=raw,
        shown_input=schema.redact(bytes(raw), value) if schema.secrets else raw,
        places=places,
        context=context,
        prefix=prefix,
        created_at=body.created_at,
    )
    return asked, hook


class UncutError(Exception):
    """A data URL was cut out of a place where the model takes no file: read the body as it is."""


def _refill(places: list[FilePlace], raw: bytes, cuts: Cuts) -> tuple[list[FilePlace], bytes | memoryview]:
    """Return the files with what was cut out, and the input's JSON as the client sent it."""
    filled = [FilePlace(place.path, cuts.find(place.value) or place.value) for place in places]
    if sum(isinstance(place.value, Cut) for place in filled) != len(cuts):
        raise UncutError
    return filled, cuts.restore(raw)


def _id(given: Any, url_id: str | None) -> str:
    if url_id is not None:
        ids.check_id(url_id)
        if given is not None and given != url_id:
            message = "the id in the body must be the one in the URL, or left out"
            raise InputInvalidError([Problem(("body", "id"), message, "value_error.id")])
        return url_id
    return ids.make_id() if given is None else ids.check_id(given)


def _context(given: Any, problems: list[Problem]) -> dict[str, str] | None:
    if isinstance(given, dict) and all(isinstance(value, str) for value in given.values()):
        if sum(len(key) + len(value) for key, value in given.items()) <= MAX_CONTEXT:
            return given
        message = f"must hold at most {MAX_CONTEXT} characters"
    else:
        message = "must be an object of strings"
    problems.append(Problem(("body", "context"), message, "type_error.dict"))
    return None


def _hook(body: Body, problems: list[Problem]) -> Hook | None:
    if not _is_http(body.webhook):
        problems.append(Problem(("body", "webhook"), "must be an http(s) URL", "value_error.url"))
        return None
    events = body.webhook_events_filter
    if events is None:
        return Hook(body.webhook, frozenset(EVENTS))
    if not isinstance(events, list) or any(event not in EVENTS for event in events):
        message = f"must be a list of some of {', '.join(EVENTS)}"
        problems.append(Problem(("body", "webhook_events_filter"), message, "type_error.enum"))
        return None
    return Hook(body.webhook, frozenset(events))


def _is_http(url: Any) -> bool:
    if not isinstance(url, str) or len(url) > 4096:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class Wants:
    """What a prediction request's headers ask for."""

    __slots__ = ("cancel_after", "events", "is_json", "last_id", "length", "no_wait", "origin", "seconds")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.is_json = self.events = self.no_wait = False
        self.length: bytes | None = None
        self.last_id: bytes | None = None
        self.seconds: float | None = None
        self.cancel_after: bytes | None = None
        self.origin: origin.Origin | None = None
        told: list[tuple[bytes, bytes]] | None = None
        for name, value in headers:
            if name == b"content-type":
                self.is_json = value == b"application/json" or _is_json(value)
            elif name == b"content-length":
                self.length = value
            elif name == b"prefer":
                self.no_wait = wants_async(value)
                self.seconds = wait_seconds(value)
            elif name == b"accept":
                self.events = wants_events(value)
            elif name == b"last-event-id":
                self.last_id = value
            elif name == b"cancel-after":
                self.cancel_after = value
            elif name in origin.ORIGIN_HEADERS:
                told = [*(told or ()), (name, value)]
        if told is not None:
            self.origin = origin.read(told)

    @property
    def special(self) -> bool:
        """Whether something else is wanted than events, or a plain answer at the end."""
        return (self.no_wait or self.seconds is not None) and not self.events


def _is_json(media_type: bytes) -> bool:
    return media_type.partition(b";")[0].strip().lower() == b"application/json"


def wants_async(prefer: bytes | None) -> bool:
    """Read `Prefer: respond-async`, alone or in a list."""
    if prefer is None:
        return False
    return any(part.strip().lower() == b"respond-async" for part in prefer.split(b","))


def wait_seconds(prefer: bytes | None) -> float | None:
    """Read `Prefer: wait=N`: how long the client waits for the end before it takes what there is."""
    for part in (prefer or b"").split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.strip().lower() == b"wait" and value.strip().isdigit() and len(value) < 8:
            return float(value)
    return None


def wants_events(accept: bytes | None) -> bool:
    """Read `Accept: text/event-stream`."""
    return accept is not None and b"text/event-stream" in accept.lower()


def prediction_of(path: str) -> str | None:
    """Return the id of `/predictions/{id}`; None for every other path, and for one with anything to decode."""
    room, _, last = path.rpartition("/")
    return last if room == "/predictions" and last and "%" not in last else None


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first header of a (lower-case) name."""
    for key, value in headers:
        if key == name:
            return value
    return None


def same_input(left: Mapping[str, Any] | bytes | memoryview, right: bytes | memoryview) -> bool:
    """Say whether two inputs are the same JSON value."""
    given = left if isinstance(left, Mapping) else _any.decode(left)
    return bool(given == _any.decode(right))
