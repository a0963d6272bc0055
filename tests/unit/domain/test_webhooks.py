"""Which addresses may be called, how often, and how a call is signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.values import Prediction, Status
from cogyard.domain.webhooks import Targets, as_of, is_public, next_try, signature
from msgspec.structs import replace

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "example.com",
        "https://",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/x",
        "https://user:pass@example.com/",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://example.com:99999/",
        "https://[::1",
    ],
)
def test_addresses_that_are_not_called(url: str) -> None:
    """Private, unencrypted, dressed up or broken."""
    assert Targets().problem(url) is not None


def test_addresses_that_are_called() -> None:
    """Public https; http and private ones where the operator says so."""
    assert Targets().problem("https://example.com:8443/hook?a=b") is None
    assert Targets(allow_http=True).problem("http://example.com/hook") is None
    assert Targets(allow_http=True, allow_private=True).problem("http://127.0.0.1:5000/hook") is None
    assert Targets(allow_private=True).problem("http://127.0.0.1:5000/hook") is not None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.1.1", False),
        ("224.0.0.1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("not an address", False),
    ],
)
def test_whose_an_address_is(address: str, public: bool) -> None:
    """Also where an IPv4 address hides in an IPv6 one."""
    assert is_public(address) is public


def test_only_the_end_is_told_again_and_for_hours() -> None:
    """Waits grow; others are never repeated, since newer ones follow."""
    assert next_try("output", 1, NOW) is None
    waits = []
    attempts = 1
    while (again := next_try("completed", attempts, NOW)) is not None:
        waits.append(again - NOW)
        attempts += 1
    assert waits == sorted(waits)
    assert sum(waits, timedelta()) > timedelta(hours=5)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELED])
def test_an_event_before_the_end_does_not_say_the_end(status: Status) -> None:
    """Only `completed` does, whenever it is told; what there was by then is in the others."""
    running = Prediction(
        id="p",
        model="ann/m",
        version="v",
        account_id=1,
        status=Status.PROCESSING,
        input={},
        created_at=NOW,
        started_at=NOW,
        output=["a"],
        logs="said",
    )
    ended = replace(running, status=status, completed_at=NOW, metrics={"predict_time": 1.0}, error="it broke")
    assert as_of("completed", ended) == ended
    assert as_of("output", ended) == as_of("logs", ended) == running
    assert as_of("start", ended) == replace(running, output=None, logs="")
    assert as_of("start", running) == running
