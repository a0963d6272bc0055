"""The worker's end of the socket: frames come whole, whether it sleeps for them or looks for them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from cog.worker import channel as module
from cog.worker import frames
from cog.worker.channel import Channel


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Channel]]:
    """Give the server's end and a channel."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs)
    yield ours, channel
    ours.close()
    channel.close()


def test_quick_questions_are_looked_for_and_answered(pair: tuple[socket.socket, Channel]) -> None:
    """Thousands one after another, each once and in order; then a large one, and the end."""
    ours, channel = pair
    large = b"x" * 3_000_000

    def ask() -> None:
        for tag in range(1, 2001):
            ours.sendall(frames.encode(frames.PREDICT, tag, b"{}"))
            assert ours.recv(1) == b"."
        ours.sendall(frames.encode(frames.PREDICT, 2001, large))
        ours.close()

    asker = threading.Thread(target=ask)
    asker.start()
    seen = []
    for _ in range(2000):
        frame = channel.receive()
        assert frame is not None
        seen.append(frame[1])
        channel.socket.sendall(b".")
    assert seen == list(range(1, 2001))
    assert channel.receive() == (frames.PREDICT, 2001, large)
    assert channel.receive() is None
    asker.join()


def test_a_busy_machine_is_left_alone(
    pair: tuple[socket.socket, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that others keep for long ends the looking, for longer each time; good looks make it short again."""
    ours, channel = pair
    moment = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: moment[0])

    def give_away() -> None:
        moment[0] += 0.003

    monkeypatch.setattr(module, "_yield", give_away)
    channel._looks_from = 0.0
    pauses = []
    for _ in range(3):
        channel._looks = True
        assert channel._look() is None
        pauses.append(round(channel._looks_from - moment[0], 3))
    assert pauses == [0.02, 0.04, 0.08]
    ours.sendall(b"y")
    channel._wait()
    looks = [channel._looks]
    moment[0] += 10
    ours.sendall(b"y")
    channel._wait()
    assert [*looks, channel._looks] == [False, True]
    channel._good = 5000
    assert channel._look() is None
    assert round(channel._looks_from - moment[0], 3) == 0.02


def test_nothing_is_looked_for_for_long(
    pair: tuple[socket.socket, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is not asked soon sleeps, and costs nothing."""
    _, channel = pair
    moment = [100.0]
    turns: list[int] = []
    monkeypatch.setattr(module, "perf_counter", lambda: moment[0])

    def give_away() -> None:
        turns.append(1)
        moment[0] += 0.000_01

    monkeypatch.setattr(module, "_yield", give_away)
    channel._looks = True
    assert channel._look() is None
    assert 15 <= len(turns) <= 25
    assert not channel._looks
