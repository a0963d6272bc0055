"""Webhooks by policy: which events there are, which addresses may be called, how often a call is tried. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from msgspec.structs import replace

from cogyard.domain.values import Prediction, Status

#: Characters of an address that is called.
URL_LIMIT = 2_000

EVENTS = ("start", "output", "logs", "completed")

# Waits after the first, second … failure: 10 s to 4 h, about nine hours in all.
RETRY_WAITS = tuple(timedelta(seconds=s) for s in (10, 30, 90, 300, 900, 1800, 3600, 3600 * 2, 3600 * 4))

# An endpoint that has not answered well for so long, and just had an event given up, is told no more.
FAILING_LIMIT = timedelta(days=3)

# Translators reach an IPv4 address through these.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def events_problem(wanted: Sequence[str]) -> str | None:
    """Say what is wrong with a choice of events; None when nothing."""
    unknown = next((event for event in wanted if event not in EVENTS), None)
    return None if unknown is None else f"{unknown[:40]!r} is no event; there are {', '.join(EVENTS)}."


def chosen_events(wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return a choice of events in their order, each once; the default for none."""
    return tuple(event for event in EVENTS if event in (wanted or ())) or default_events()


def default_events() -> tuple[str, ...]:
    """Return what is told when nobody chose: new outputs, and the end."""
    return ("output", "completed")


#: What stands for a prediction's own webhook where endpoints have their ids.
OWN = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """What an endpoint of an account wants to hear."""

    id: str
    events: tuple[str, ...]
    model: str | None = None
    """Only predictions of this model, `owner/name`; None hears of all."""

    def wants(self, event: str, model: str) -> bool:
        """Whether it is to be told an event of a prediction of that model."""
        return event in self.events and (self.model is None or self.model == model)


#: Who listens, by account. An account that nobody listens for is not in it.
Audience = Mapping[int, tuple[Listener, ...]]


def told(event: str, *, own: tuple[str, ...], model: str, listeners: tuple[Listener, ...]) -> tuple[str, ...]:
    """Return the ids of all who are to be told an event: `own` are the events of the prediction's own webhook."""
    first = (OWN,) if event in own else ()
    return (*first, *(each.id for each in listeners if each.wants(event, model)))


def as_of(event: str, prediction: Prediction) -> Prediction:
    """Return a prediction as it was at an event that is told after its end: only `completed` says that it has ended.

    Receivers act on the status. Whoever does so for `succeeded` must not be told it twice.
    """
    if event == "completed" or not prediction.status.terminal:
        return prediction
    before = replace(prediction, status=Status.PROCESSING, completed_at=None, metrics={}, error=None)
    return replace(before, output=None, logs="") if event == "start" else before


def next_try(event: str, attempts: int, now: datetime) -> datetime | None:
    """Return when to try again after `attempts` failures, or None to give up."""
    if event != "completed" or attempts > len(RETRY_WAITS):
        return None
    return now + RETRY_WAITS[attempts - 1]


def has_failed_too_long(since: datetime, now: datetime) -> bool:
    """Whether an endpoint that has only failed since then is to be told no more."""
    return now - since >= FAILING_LIMIT


def is_public(address: str) -> bool:
    """Whether an IP address belongs to nobody's inside."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    # What is reserved holds more ways to write an address of a machine's own, such as `::127.0.0.1`.
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Which addresses the operator lets us call."""

    allow_private: bool = False
    allow_http: bool = False

    def problem(self, url: str) -> str | None:
        """Say what is wrong with a webhook's address as far as its text tells; None when nothing."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return "it is no address"
        del port
        schemes = {"https", "http"} if self.allow_http else {"https"}
        if parts.scheme not in schemes or not host:
            return f"it must begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes, reverse=True))}"
        if parts.username is not None or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url):
            return "it must hold no spaces, control characters, user name or password"
        if not self.allow_private and (host == "localhost" or _is_private_literal(host)):
            return f"{host} is a private address, which this platform does not call"
        return None

    def permits(self, address: str) -> bool:
        """Whether an IP address that a name stands for may be called."""
        return self.allow_private or is_public(address)


def _is_private_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a call as Standard Webhooks: `v1,` and base64 of an HMAC over id, time and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
