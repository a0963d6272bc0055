"""The frames of the worker protocol, version 1 (spec/worker-protocol.md): bytes to values and back, no sockets."""

from __future__ import annotations

import struct

from cog_server.errors import ProtocolError

PROTOCOL = 1

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

FROM_WORKER = frozenset({READY, SETUP_FAILED, OUTPUT, SUCCEEDED, FAILED, CANCELED, LOG, METRIC, HEALTH})
FROM_SERVER = frozenset({PREDICT, CANCEL, SHUTDOWN, HEALTHCHECK})

HAS_FILES = 0x01
"""Bit of the flags byte: the JSON holds `$cog.file` objects."""

MAX_FRAME = 1 << 30
"""Bytes: the largest `length` field that is accepted."""

_HEADER = struct.Struct(">IBI")
_BEYOND_LENGTH = 5
_F64 = struct.Struct(">d")

Frame = tuple[int, int, bytes]


def encode(kind: int, tag: int, payload: bytes = b"") -> bytes:
    """Return one frame. Raises ProtocolError when the payload is too large to send."""
    length = _BEYOND_LENGTH + len(payload)
    if length > MAX_FRAME:
        raise ProtocolError(f"a frame of {length} bytes is larger than the limit of {MAX_FRAME}")
    return _HEADER.pack(length, kind, tag) + payload


def split_success(payload: bytes) -> tuple[float, int, bytes]:
    """Return (predict_time seconds, flags, raw JSON or empty) of a SUCCEEDED payload."""
    if len(payload) < 9:
        raise ProtocolError(f"a SUCCEEDED frame of {len(payload)} bytes is too short; at least 9 are needed")
    return _F64.unpack_from(payload)[0], payload[8], payload[9:]


def split_output(payload: bytes) -> tuple[int, bytes]:
    """Return (flags, raw JSON) of an OUTPUT payload."""
    if len(payload) < 2:
        raise ProtocolError("an OUTPUT frame without a value")
    return payload[0], payload[1:]


def split_log(payload: bytes) -> tuple[str, str]:
    """Return (source, text) of a LOG payload."""
    if not payload:
        raise ProtocolError("a LOG frame without a source")
    return ("stderr" if payload[0] == 2 else "stdout"), payload[1:].decode("utf-8", "replace")


class Decoder:
    """Cut a stream of bytes into frames of the kinds one side may send."""

    __slots__ = ("_allowed", "_buffer", "_needed")

    def __init__(self, allowed: frozenset[int] = FROM_WORKER) -> None:
        self._allowed = allowed
        self._buffer = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was read and return the frames it completes. Raises ProtocolError."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        frames: list[Frame] = []
        start, end = 0, len(data)
        while end - start >= _HEADER.size:
            length, kind, tag = _HEADER.unpack_from(data, start)
            if not _BEYOND_LENGTH <= length <= MAX_FRAME:
                raise ProtocolError(
                    f"a frame says it is {length} bytes long; from 5 to {MAX_FRAME} are possible"
                )
            if kind not in self._allowed:
                raise ProtocolError(
                    f"a frame of unknown kind 0x{kind:02x}; this side speaks protocol {PROTOCOL}"
                )
            stop = start + 4 + length
            if stop > end:
                break
            frames.append((kind, tag, data[start + _HEADER.size : stop]))
            start = stop
        if start < end:
            self._buffer += data[start:] if start else data
            self._needed = _HEADER.size
            if end - start >= 4:
                self._needed = 4 + int.from_bytes(self._buffer[:4], "big")
        return frames
