"""Where a request comes from, as its headers say: its name, and the trace it is part of.

Both are passed on, to webhooks, logs and whoever reads traces, so both are checked first: what is not as it should be
counts as not sent. No request is refused for it, as the W3C's Trace Context has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cog_server.ids import make_id

ORIGIN_HEADERS = frozenset({b"x-request-id", b"traceparent", b"tracestate"})

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@~-]{0,127}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_JAEGER = re.compile(rb"([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})")
_TRACESTATE = re.compile(rb"[\x20-\x7e]{1,512}")
_MEMBERS = 32


@dataclass(frozen=True)
class Origin:
    """What a request's headers say of where it comes from; only what passed the checks."""

    request_id: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    """`traceparent`, and `tracestate` where there is one; empty for a request that is part of no trace."""


@dataclass(frozen=True)
class TraceHeader:
    """Another header than `traceparent` that names the caller's span: its name in lower case, and its form."""

    name: bytes
    jaeger: bool = False
    """Whether it is written in Jaeger's form, not the W3C's."""

    def rename(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers with this one in the place of `traceparent`."""
        found = []
        for name, value in headers:
            if name == self.name:
                parent = from_jaeger(value) if self.jaeger else value
                found.append((b"traceparent", parent or b""))
            elif name != b"traceparent":
                found.append((name, value))
        return found


def read(headers: Iterable[tuple[bytes, bytes]]) -> Origin:
    """Read the headers of ORIGIN_HEADERS; names are in lower case."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in ORIGIN_HEADERS:
            found.setdefault(name, []).append(value)
    return Origin(
        request_id(found.get(b"x-request-id", [])),
        _trace(found.get(b"traceparent", []), found.get(b"tracestate", [])),
    )


def name_of(origin: Origin | None) -> bytes:
    """Return the name that a request's answer carries: its own, or one that is made."""
    return (make_id() if origin is None or origin.request_id is None else origin.request_id).encode("ascii")


def request_id(values: list[bytes]) -> str | None:
    """Return the one request id, or None: 1 to 128 characters of which none could end a line or a quotation."""
    if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]):
        return values[0].decode("ascii")
    return None


def from_jaeger(value: bytes) -> bytes | None:
    """Return Jaeger's own `trace:span:parent:flags` as a traceparent, or None."""
    match = _JAEGER.fullmatch(value.strip().lower().replace(b"%3a", b":"))
    if match is None:
        return None
    trace, span, flags = match.groups()
    return b"00-%s-%s-%02x" % (trace.zfill(32), span.zfill(16), int(flags, 16) & 1)


def _trace(parents: list[bytes], states: list[bytes]) -> dict[str, str]:
    if len(parents) != 1:
        return {}  # none, or two that contradict each other
    match = _TRACEPARENT.fullmatch(parents[0].strip())
    if match is None:
        return {}
    version, trace, span, flags, rest = match.groups()
    if version == b"ff" or not trace.strip(b"0") or not span.strip(b"0") or (version == b"00" and rest):
        return {}
    # A later version's is sent on in the version that is spoken here.
    found = {"traceparent": f"00-{trace.decode()}-{span.decode()}-{flags.decode()}"}
    state = b",".join(part.strip() for part in states)
    if _TRACESTATE.fullmatch(state) and state.count(b",") < _MEMBERS:
        found["tracestate"] = state.decode("ascii")
    return found
