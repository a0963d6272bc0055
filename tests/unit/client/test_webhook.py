"""Checking webhook deliveries."""

from __future__ import annotations

import base64
import hashlib
import hmac

import httpx2
import pytest
from replicate import InvalidWebhookError, Webhooks
from replicate.webhook import (
    InvalidSecretKeyError,
    InvalidSignatureError,
    InvalidTimestampError,
    MissingWebhookBodyError,
    MissingWebhookHeaderError,
)

SECRET = "whsec_" + base64.b64encode(b"key").decode()
BODY = b'{"id": "p1"}'


def headers(timestamp: int = 1000, signed: bytes = BODY) -> dict[str, str]:
    """Return the headers of a delivery of `signed` at `timestamp`."""
    mac = hmac.new(b"key", b"msg_1.%d." % timestamp + signed, hashlib.sha256).digest()
    signature = f"v1,AAAA v1,{base64.b64encode(mac).decode()}"
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(timestamp), "Webhook-Signature": signature}


def test_accepts_what_the_platform_signed() -> None:
    """One good signature among several is enough."""
    Webhooks.validate(headers=headers(), body=BODY, secret=SECRET, tolerance=300, now=1200)


def test_any_age_is_taken_unless_one_is_named() -> None:
    """As by the official client: tests of others' code have deliveries of long ago."""
    Webhooks.validate(headers=headers(), body=BODY, secret=SECRET)


@pytest.mark.parametrize(
    ("given", "now"),
    [(headers(signed=b"other"), 1000.0), (headers(), 1301.0), ({"Webhook-Id": "msg_1"}, 1000.0)],
)
def test_refuses_forged_old_and_unsigned_deliveries(given: dict[str, str], now: float) -> None:
    """A changed body, an old delivery and a missing header are each refused."""
    with pytest.raises(InvalidWebhookError):
        Webhooks.validate(headers=given, body=BODY, secret=SECRET, tolerance=300, now=now)


def test_a_request_is_checked_whole() -> None:
    """A request of httpx, in the official client's order; each thing that is wrong has its error."""
    good = httpx2.Request("POST", "http://x", headers=headers(), content=BODY)
    Webhooks.validate(good, secret=SECRET, now=1000)
    forged = httpx2.Request("POST", "http://x", headers=headers(), content=b"other")
    empty = httpx2.Request("POST", "http://x", headers=headers())
    for request, secret, now, error in (
        (forged, SECRET, 1000, InvalidSignatureError),
        (empty, SECRET, 1000, MissingWebhookBodyError),
        (good, SECRET, 9000, InvalidTimestampError),
        (good, "whsec_no base64", 1000, InvalidSecretKeyError),
    ):
        with pytest.raises(error):
            Webhooks.validate(request, secret=secret, tolerance=300, now=now)
    with pytest.raises(MissingWebhookHeaderError):
        Webhooks.validate(headers={}, body=BODY, secret=SECRET)
    for wrong in ({"request": good, "body": BODY, "secret": SECRET}, {"headers": headers(), "body": BODY}):
        with pytest.raises(ValueError, match=r"both|secret"):
            Webhooks.validate(**wrong)
