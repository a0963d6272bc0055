"""The worker's frame codec against the server's: what one writes the other reads, however it is cut."""

from __future__ import annotations

import cog_server.frames as server
import pytest
from cog.worker import frames as worker
from cog_server.errors import ProtocolError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

FRAMES = st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=40))
FROM_SERVER = st.lists(st.tuples(st.sampled_from(sorted(server.FROM_SERVER)), FRAMES), max_size=6)
FROM_WORKER = st.lists(st.tuples(st.sampled_from(sorted(worker.FROM_WORKER)), FRAMES), max_size=6)
PLACES = st.lists(st.integers(0, 10_000), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[left:right] for left, right in zip(edges, edges[1:], strict=False)]  # noqa: RUF007 - Python 3.10 has it too


@settings(max_examples=examples(200), deadline=None)
@given(FROM_SERVER, FROM_WORKER, PLACES)
def test_both_sides_write_and_read_the_same_bytes(down: list, up: list, places: list[int]) -> None:  # type: ignore[type-arg]
    """The two codecs live in different packages and must never differ."""
    sent = b"".join(server.encode(kind, tag, payload) for kind, (tag, payload) in down)
    assert sent == b"".join(worker.encode(kind, tag, payload) for kind, (tag, payload) in down)
    reader = worker.Decoder()
    found = [frame for piece in cut(sent, places) for frame in reader.feed(piece)]
    assert found == [(kind, tag, payload) for kind, (tag, payload) in down]
    said = b"".join(worker.encode(kind, tag, payload) for kind, (tag, payload) in up)
    listener = server.Decoder()
    heard = [frame for piece in cut(said, places) for frame in listener.feed(piece)]
    assert heard == [(kind, tag, payload) for kind, (tag, payload) in up]


@given(st.floats(), st.integers(0, 1), st.binary(max_size=30), st.text(max_size=20), st.integers(1, 2))
def test_payloads_mean_the_same_on_both_sides(
    seconds: float, flags: int, raw: bytes, text: str, source: int
) -> None:
    """Times, flags, outputs and log lines arrive as they were sent."""
    ((_, tag, payload),) = server.Decoder().feed(worker.encode_succeeded(7, seconds, flags, raw))
    found = server.split_success(payload)
    assert tag == 7
    assert (repr(found[0]), found[1], found[2]) == (repr(seconds), flags, raw)
    ((_, _, piece),) = server.Decoder().feed(worker.encode_output(7, flags, b"x" + raw))
    assert server.split_output(piece) == (flags, b"x" + raw)
    ((_, _, line),) = server.Decoder().feed(worker.encode_log(7, source, text))
    assert server.split_log(line) == (("stdout", "stderr")[source - 1], text)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
def test_garbage_is_frames_or_an_error_of_our_own(pieces: list[bytes], is_worker: bool) -> None:
    """Neither side breaks in any other way, nor waits for more than a frame may be large."""
    try:
        if is_worker:
            reader = worker.Decoder()
            for piece in pieces:
                reader.feed(piece)
            assert reader.missing <= worker.LARGEST_LENGTH + 4
        else:
            listener = server.Decoder()
            for piece in pieces:
                for kind, _, payload in listener.feed(piece):
                    split = {server.SUCCEEDED: server.split_success, server.OUTPUT: server.split_output,
                             server.LOG: server.split_log}.get(kind)  # fmt: skip
                    if split is not None:
                        split(payload)
    except (worker.FrameError, ProtocolError):
        return


def test_a_frame_beyond_the_limit_is_refused_by_its_first_bytes() -> None:
    """A length that nobody may send is not waited for."""
    claim = (worker.LARGEST_LENGTH + 1).to_bytes(4, "big") + b"\x01\x00\x00\x00\x01"
    with pytest.raises(worker.FrameError):
        worker.Decoder().feed(claim)
    with pytest.raises(ProtocolError):
        server.Decoder().feed(claim)
