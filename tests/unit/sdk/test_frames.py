"""The frame codec against the golden frames and against every way of cutting a stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cog.worker import frames, messages
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = json.loads((Path(__file__).parents[3] / "spec" / "worker" / "frames.json").read_text("utf-8"))
FRAMES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8
)


def compact(value: Any) -> bytes:
    """Return JSON as the fixtures have it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def write(golden: dict[str, Any]) -> bytes:  # noqa: PLR0911 - one for each kind
    """Write a golden frame with the functions the worker writes it with."""
    kind, tag, fields = golden["kind"], golden["tag"], golden["fields"]
    output = compact(fields["output"]) if "output" in fields else b""
    if kind == frames.READY:
        return messages.ready(**{name: value for name, value in fields.items() if name != "protocol"})
    if kind == frames.SETUP_FAILED:
        return messages.setup_failed(fields["error"])
    if kind == frames.OUTPUT:
        return frames.encode_output(tag, fields["flags"], output)
    if kind == frames.SUCCEEDED:
        return frames.encode_succeeded(tag, fields["predict_time"], fields["flags"], output)
    if kind == frames.FAILED:
        return messages.failed(tag, fields["error"], fields["predict_time"])
    if kind == frames.CANCELED:
        return messages.canceled(tag, fields["predict_time"])
    if kind == frames.LOG:
        return frames.encode_log(tag, fields["source"], fields["text"])
    if kind == frames.METRIC:
        return messages.metric(tag, fields["name"], fields["value"], fields["mode"])
    if kind == frames.HEALTH:
        return messages.health(fields["ok"], fields.get("error"))
    return frames.encode(kind, tag, compact(fields) if fields else b"")


@pytest.mark.parametrize("golden", SPEC["frames"], ids=lambda golden: golden["name"])
def test_frames_are_written_as_the_contract_has_them(golden: dict[str, Any]) -> None:
    """Every frame we write equals its golden bytes."""
    assert write(golden).hex() == golden["hex"]


@pytest.mark.parametrize("golden", SPEC["frames"], ids=lambda golden: golden["name"])
def test_frames_are_read_as_the_contract_has_them(golden: dict[str, Any]) -> None:
    """Every golden frame is read with its kind, tag and payload."""
    data = bytes.fromhex(golden["hex"])
    assert frames.Decoder().feed(data) == [(golden["kind"], golden["tag"], data[9:])]


def test_the_golden_frames_show_every_kind() -> None:
    """No kind of frame is without a golden one."""
    shown = {golden["kind"] for golden in SPEC["frames"]}
    assert shown == frames.FROM_SERVER | frames.FROM_WORKER


@pytest.mark.parametrize("case", SPEC["malformed"], ids=lambda case: case["name"])
def test_impossible_lengths_are_refused(case: dict[str, str]) -> None:
    """A length no frame can have is an error at once, not a wait for bytes that never come."""
    with pytest.raises(frames.FrameError):
        frames.Decoder().feed(bytes.fromhex(case["hex"]))


@settings(deadline=None)
@given(FRAMES, st.data())
def test_a_stream_may_be_cut_anywhere(sent: list[frames.Frame], data: st.DataObject) -> None:
    """However the bytes are cut, the same frames come out."""
    stream = b"".join(frames.encode(*frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = frames.Decoder()
    read: list[frames.Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += decoder.feed(stream[start:end])
    assert read == sent


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(data: bytes) -> None:
    """Garbage is refused or waited on; it never raises anything else."""
    try:
        read = frames.Decoder().feed(data)
    except frames.FrameError:
        return
    assert all(0 <= kind <= 255 for kind, _, _ in read)


def test_a_frame_above_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload too large for a frame is an error that names both sizes."""
    monkeypatch.setattr(frames, "LARGEST_LENGTH", 100)  # a gigabyte of memory is no unit test
    with pytest.raises(frames.FrameError, match=r"105 bytes; at most 100"):
        frames.encode(frames.OUTPUT, 1, b"x" * 100)
