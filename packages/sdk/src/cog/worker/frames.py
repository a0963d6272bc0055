"""The frame codec: bytes in, frames out, and back. No I/O here; spec/worker-protocol.md says what the bytes mean."""

from __future__ import annotations

import struct

PREDICT = 0x01
CANCEL = 0x02
SHUTDOWN = 0x03
HEALTHCHECK = 0x04
READY = 0x81
SETUP_FAILED = 0x82
OUTPUT = 0x83
SUCCEEDED = 0x84
FAILED = 0x85
CANCELED = 0x86
LOG = 0x87
METRIC = 0x88
HEALTH = 0x89

PROTOCOL = 1
FROM_SERVER = frozenset({PREDICT, CANCEL, SHUTDOWN, HEALTHCHECK})
FROM_WORKER = frozenset({READY, SETUP_FAILED, OUTPUT, SUCCEEDED, FAILED, CANCELED, LOG, METRIC, HEALTH})

#: `length` counts what follows it: one byte of kind, four of tag, the payload.
LARGEST_LENGTH = 1 << 30
_HEADER = struct.Struct(">IBI")
_RESULT = struct.Struct(">IBIdB")
_PIECE = struct.Struct(">IBIB")
_OVERHEAD = _HEADER.size - 4
_PIECE_OVERHEAD = _PIECE.size - 4
HEADER_SIZE = _HEADER.size

#: kind, tag, payload
Frame = tuple[int, int, bytes]


class FrameError(Exception):
    """The peer sent what no frame looks like, or a frame would be too large to send."""


def encode(kind: int, tag: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame as bytes. Raises FrameError when it is larger than 1 GiB."""
    return _HEADER.pack(_length(_OVERHEAD + len(payload)), kind, tag) + payload


def encode_succeeded(tag: int, predict_time: float, flags: int, output: bytes) -> bytes:
    """Return a SUCCEEDED frame; `predict_time` in seconds, `output` JSON or empty. Raises FrameError."""
    length = _length(_RESULT.size - 4 + len(output))
    return _RESULT.pack(length, SUCCEEDED, tag, predict_time, flags) + output


def encode_output(tag: int, flags: int, output: bytes) -> bytes:
    """Return an OUTPUT frame with the JSON of one yielded value. Raises FrameError."""
    length = _PIECE_OVERHEAD + len(output)
    if length > LARGEST_LENGTH:
        _length(length)
    return _PIECE.pack(length, OUTPUT, tag, flags) + output


def encode_log(tag: int, source: int, text: str) -> bytes:
    """Return a LOG frame; `source` is 1 for stdout, 2 for stderr."""
    payload = text.encode("utf-8", "backslashreplace")
    return _PIECE.pack(_length(_PIECE.size - 4 + len(payload)), LOG, tag, source) + payload


def _length(length: int) -> int:
    if length > LARGEST_LENGTH:
        raise FrameError(f"a frame of {length} bytes; at most {LARGEST_LENGTH} can be sent")
    return length


class Decoder:
    """Turns a stream of bytes into frames, however it was cut. Give it bytes with `feed`, then ask `missing`."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def missing(self) -> int:
        """Return how many bytes the frame that has begun still needs; 0 when none has, or its length is unknown."""
        buffer = self._buffer
        if len(buffer) < 4:
            return 0
        return int.from_bytes(buffer[:4], "big") + 4 - len(buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """Return the frames that are complete now. Raises FrameError for an impossible length."""
        # The whole of one frame at once is the usual case: no copy into the buffer.
        if not self._buffer and len(data) >= HEADER_SIZE:
            length, kind, tag = _HEADER.unpack_from(data)
            if length + 4 == len(data):
                _check(length)
                return [(kind, tag, bytes(data[HEADER_SIZE:]))]
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        at = 0
        while len(buffer) - at >= 4:
            length = int.from_bytes(buffer[at : at + 4], "big")
            _check(length)
            end = at + 4 + length
            if len(buffer) < end:
                break
            _, kind, tag = _HEADER.unpack_from(buffer, at)
            frames.append((kind, tag, bytes(memoryview(buffer)[at + HEADER_SIZE : end])))
            at = end
        if at:
            del buffer[:at]
        return frames


def _check(length: int) -> None:
    if not _OVERHEAD <= length <= LARGEST_LENGTH:
        raise FrameError(f"a frame's length is between {_OVERHEAD} and {LARGEST_LENGTH}, not {length}")
