"""The door of the platform."""

from __future__ import annotations

import socket

import pytest
from cogyard.compose.listening import ListenError, address_of, listen


def test_a_port_in_use_is_said_with_another_one() -> None:
    """Who starts a second server learns which port is taken and what to type instead."""
    with listen("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
        with pytest.raises(ListenError, match=f"Port {port} of 127.0.0.1 is in use") as refused:
            listen("127.0.0.1", port)
        assert f"--port {port + 1}" in (refused.value.hint or "")


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "\x00", "a" * 300])
def test_an_address_that_is_not_ours_is_said(host: str) -> None:
    """An address of another machine, or none at all, is a message."""
    with pytest.raises(ListenError):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")]
)
def test_the_address_shown_can_be_opened(host: str, shown: str) -> None:
    """What is printed reaches the door from this machine, also when it listens everywhere."""
    with listen(host, 0) as door:
        address = address_of(door, host)
        assert address == f"http://{shown}:{door.getsockname()[1]}"
        name, _, port = address.removeprefix("http://").rpartition(":")
        socket.create_connection((name, int(port)), timeout=30).close()
