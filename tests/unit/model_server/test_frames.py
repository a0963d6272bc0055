"""The frames of the worker protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cog_server import frames
from cog_server.errors import ProtocolError
from cog_server.workers import messages
from hypothesis import given
from hypothesis import strategies as st

SPEC = Path(__file__).parents[3] / "spec" / "worker" / "frames.json"
GOLDEN: list[dict[str, Any]] = json.loads(SPEC.read_text())["frames"]


def decode_all(data: bytes, allowed: frozenset[int] = frames.FROM_WORKER) -> list[frames.Frame]:
    """Feed a decoder at once."""
    return frames.Decoder(allowed).feed(data)


@pytest.mark.parametrize("golden", GOLDEN, ids=[g["name"] for g in GOLDEN])
def test_golden_frames_are_read_and_written_alike(golden: dict[str, Any]) -> None:
    """Every frame of the specification decodes to its kind and tag, and encodes back to the same bytes."""
    data = bytes.fromhex(golden["hex"])
    allowed = frames.FROM_WORKER if golden["from"] == "worker" else frames.FROM_SERVER
    ((kind, tag, payload),) = decode_all(data, allowed)
    assert (kind, tag) == (golden["kind"], golden["tag"])
    assert frames.encode(kind, tag, payload) == data


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(frames.FROM_WORKER)), st.integers(0, 2**32 - 1), st.binary(max_size=300)
        )
    ),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_frames_survive_any_cutting(sent: list[frames.Frame], cuts: list[int]) -> None:
    """However the stream is cut into reads, the same frames come out in the same order."""
    data = b"".join(frames.encode(*frame) for frame in sent)
    decoder, received, start, number = frames.Decoder(), [], 0, 0
    while start < len(data):
        size = cuts[number % len(cuts)]
        received += decoder.feed(data[start : start + size])
        start, number = start + size, number + 1
    assert received == sent


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_protocol_error(data: bytes) -> None:
    """Bytes of any kind never raise anything but ProtocolError."""
    try:
        for kind, _, payload in decode_all(data):
            if kind == frames.SUCCEEDED:
                frames.split_success(payload)
            elif kind == frames.OUTPUT:
                frames.split_output(payload)
            elif kind == frames.LOG:
                frames.split_log(payload)
            elif kind == frames.READY:
                messages.decode(messages.Ready, payload)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes.fromhex("00000004" + "81" + "00000000"), "4 bytes long"),
        (bytes.fromhex("7fffffff" + "81" + "00000000"), "2147483647 bytes long"),
        (bytes.fromhex("00000005" + "42" + "00000000"), "0x42"),
        (bytes.fromhex("00000005" + "01" + "00000000"), "0x01"),
    ],
)
def test_what_the_protocol_does_not_know_is_said(data: bytes, what: str) -> None:
    """A wrong length, an unknown kind and a kind of the other direction are errors that name the value."""
    with pytest.raises(ProtocolError, match=what):
        decode_all(data)


def test_a_large_frame_is_refused_before_it_is_sent() -> None:
    """A payload beyond the limit is refused by its size alone."""

    class Huge(bytes):
        def __len__(self) -> int:
            return frames.MAX_FRAME

    with pytest.raises(ProtocolError, match="larger than the limit"):
        frames.encode(frames.PREDICT, 1, Huge())


def test_messages_ignore_what_a_newer_release_adds() -> None:
    """Unknown keys of a message are ignored; missing required ones are an error."""
    ready = messages.decode(messages.Ready, b'{"protocol":1,"is_async":true,"concurrency":4,"novelty":[1]}')
    assert ready.is_async
    assert ready.concurrency == 4
    with pytest.raises(ProtocolError, match="Ready"):
        messages.decode(messages.Ready, b"{}")
