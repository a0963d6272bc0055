"""What callers and operators may ask of a prediction: deadlines, tokens, signatures, the ready file."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cog_server.deadlines import cancel_after
from cog_server.errors import RequestError, StartError
from cog_server.guard import Guard
from cog_server.ready_file import KUBERNETES, ReadyFile, chosen
from cog_server.signing import key_of, signed_headers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"90", 90),
        (b" 90s ", 90),
        (b"0.5", 0.5),
        (b"5m", 300),
        (b"1h30m", 5400),
        (b"1h2m3s", 3723),
        (b"168h", 604800),
    ],
)
def test_cancel_after_is_read(value: bytes, seconds: float) -> None:
    """Seconds, or hours, minutes and seconds."""
    assert cancel_after(value) == seconds


@pytest.mark.parametrize(
    "value", [b"", b"0", b"-1", b"soon", b"1d", b"169h", b"1s2m", b"nan", b"1e9", b"9" * 400]
)
def test_other_deadlines_are_refused(value: bytes) -> None:
    """What is no time, or none anybody waits for, is told."""
    with pytest.raises(RequestError, match="Cancel-After"):
        cancel_after(value)


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (b"Bearer hush", True),
        (b"bearer  hush", True),
        (b"Token hush", True),
        (b"Basic hush", False),
        (b"Bearer hush2", False),
        (b"Bearer", False),
        (b"\xff \xff", False),
    ],
)
def test_a_token_opens(header: bytes, allowed: bool) -> None:
    """The operator's token and no other."""
    assert Guard("hush").allows([(b"authorization", header)]) is allowed
    assert not Guard("hush").allows([])


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example that the standard's own libraries test themselves with."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_cannot_be_a_key_is_told() -> None:
    """A plain text is a key as it is; a broken whsec_ ends the start."""
    assert key_of("plain") == b"plain"
    assert key_of("whsec_" + base64.b64encode(b"k").decode()) == b"k"
    with pytest.raises(StartError, match="whsec_"):
        key_of("whsec_%%%")


def test_the_ready_file_comes_and_goes(tmp_path: Path) -> None:
    """It is there while the model is ready; Kubernetes gets Cog's own; a folder that is not writable harms nobody."""
    path = tmp_path / "a" / "ready"
    for ready in (True, True, False, False):
        ReadyFile(path).show(ready)
        assert path.exists() is ready
    (tmp_path / "file").touch()
    ReadyFile(tmp_path / "file" / "ready").show(True)
    assert chosen(None, {}) is None
    assert chosen(None, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == KUBERNETES
    assert chosen(path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == path
