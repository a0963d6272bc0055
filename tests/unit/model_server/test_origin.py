"""Request ids and trace headers: what is passed on, and what is taken for nothing."""

from __future__ import annotations

import re

import pytest
from cog_server.origin import Origin, from_jaeger, read
from hypothesis import example, given
from hypothesis import strategies as st

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_trace_passes_with_its_state() -> None:
    """Both headers go on; a state that came in two headers is one list."""
    headers = [(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1"), (b"tracestate", b" b=2")]
    assert read(headers) == Origin(None, {"traceparent": PARENT, "tracestate": "a=1,b=2"})


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"x",
        PARENT.upper().encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE}-{SPAN}-01-more".encode(),
        f"00-{TRACE}-{SPAN}".encode(),
        PARENT.encode() + b"\r\nx: y",
    ],
)
def test_what_is_no_traceparent_begins_no_trace(parent: bytes) -> None:
    """A broken parent counts as none, and takes its state along."""
    assert read([(b"traceparent", parent), (b"tracestate", b"a=1")]).trace == {}


def test_two_parents_are_none() -> None:
    """A request cannot be part of two traces."""
    assert read([(b"traceparent", PARENT.encode())] * 2).trace == {}


def test_a_later_version_is_passed_on_in_this_one() -> None:
    """What a version adds is left out, as the W3C asks."""
    headers = [(b"traceparent", f"01-{TRACE}-{SPAN}-01-later".encode())]
    assert read(headers).trace == {"traceparent": PARENT}


@pytest.mark.parametrize("state", [b"a" * 513, b",".join([b"a=1"] * 33), b"a=\x01", "ä=1".encode()])
def test_a_state_beyond_the_rules_is_left_out(state: bytes) -> None:
    """The trace itself goes on."""
    headers = [(b"traceparent", PARENT.encode()), (b"tracestate", state)]
    assert read(headers).trace == {"traceparent": PARENT}


@pytest.mark.parametrize(
    "name", ["a", "3f-1", "x" * 128, "8d8ac610-566d-4ef0-9c22-186b2a5ed793", "a.b:c/d+e=f@g~h"]
)
def test_a_plain_request_id_is_kept(name: str) -> None:
    """What other programs make as names is taken."""
    assert read([(b"x-request-id", name.encode())]).request_id == name


@given(st.lists(st.binary(max_size=140), max_size=2))
@example([b"a\r\nset-cookie: x"])
@example([b"x" * 129])
@example([b"one", b"two"])
@example([b'"}'])
def test_a_request_id_can_never_end_a_line(values: list[bytes]) -> None:
    """Whatever was sent, what is kept is a plain word of at most 128 characters, or nothing."""
    found = read([(b"x-request-id", value) for value in values]).request_id
    assert found is None or (re.fullmatch(r"[A-Za-z0-9._:/+=@~-]{1,128}", found) and found.encode() in values)


@pytest.mark.parametrize(
    ("given", "parent"),
    [
        (f"{TRACE}:{SPAN}:0:1".encode(), PARENT.encode()),
        (f"{TRACE}%3A{SPAN}%3a0%3A3".encode(), PARENT.encode()),
        (b"1a:2b:0:0", b"00-" + b"1a".zfill(32) + b"-" + b"2b".zfill(16) + b"-00"),
        (b"1a:2b:0", None),
        (b"x:y:0:1", None),
    ],
)
def test_jaeger_s_own_header_is_read(given: bytes, parent: bytes | None) -> None:
    """Short numbers are filled up; of the flags only `sampled` has a meaning elsewhere."""
    assert from_jaeger(given) == parent
