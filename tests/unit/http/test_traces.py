"""The trace of a request, as it is handed on."""

from __future__ import annotations

import pytest
from cogyard.http.traces import STATE, trace_headers, trace_of
from starlette.requests import HTTPConnection

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


def _request(*headers: tuple[str, str], own: str | None = None) -> HTTPConnection:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return HTTPConnection({"type": "http", "headers": pairs, "state": {STATE: own} if own else {}})


def test_what_the_caller_says_is_kept_and_handed_on() -> None:
    """With its state, where it has one."""
    assert trace_of(_request(("traceparent", PARENT))) == PARENT
    whole = trace_of(_request(("tracestate", "a=1"), ("accept", "*/*"), ("traceparent", PARENT)))
    assert trace_headers(whole) == {"traceparent": PARENT, "tracestate": "a=1"}
    assert trace_headers(PARENT) == {"traceparent": PARENT}
    assert trace_of(_request()) == ""
    assert trace_headers("") == {}


def test_the_platforms_own_span_comes_between() -> None:
    """Also for a caller without a trace; the caller's state stays."""
    assert trace_of(_request(own=OWN)) == OWN
    whole = trace_of(_request(("traceparent", PARENT), ("tracestate", "a=1"), own=OWN))
    assert trace_headers(whole) == {"traceparent": OWN, "tracestate": "a=1"}


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", "nonsense")],
        [("traceparent", PARENT), ("traceparent", OWN)],
        [("traceparent", PARENT + "\r\nx: y")],
        [("traceparent", "00-" + "0" * 32 + "-b7ad6b7169203331-01")],
        [("tracestate", "a=1")],
    ],
)
def test_what_makes_no_sense_counts_as_not_sent(headers: list[tuple[str, str]]) -> None:
    """It goes into headers of other requests: nothing that could end a line may be in it."""
    assert trace_of(_request(*headers)) == ""
