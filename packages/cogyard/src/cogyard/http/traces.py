"""The trace that a request is part of, for whatever goes on after its answer.

It is handed on to instances and webhooks, so it is checked first; what is not as the W3C's Trace Context has it counts
as not sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from cog_server.origin import read
from starlette.requests import HTTPConnection

#: Where the platform's own span of a request is, when it makes one.
STATE = "traceparent"


def trace_of(request: HTTPConnection) -> str:
    """Return `traceparent`, and after a space `tracestate` where there is one; empty for a request without."""
    headers = [(name, value) for name, value in request.scope["headers"] if name in _NAMES]
    own = request.scope.get("state", {}).get(STATE)
    if own:
        headers = [each for each in headers if each[0] != _PARENT]
        headers.append((_PARENT, str(own).encode("latin-1", "replace")))
    if not headers:
        return ""
    found = read(headers).trace
    return " ".join(found[name] for name in ("traceparent", "tracestate") if name in found)


def trace_headers(trace: str) -> Mapping[str, str]:
    """Return a kept trace as headers; none for an empty one."""
    parent, _, state = trace.partition(" ")
    named = (("traceparent", parent), ("tracestate", state))
    return {name: value for name, value in named if value}


_PARENT = b"traceparent"
_NAMES = frozenset({_PARENT, b"tracestate"})
