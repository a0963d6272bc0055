"""Server-sent events of a prediction: encoding, and reading on from an id."""

from __future__ import annotations

import msgspec

from cog_server.prediction import COMPLETED, LOG, METRIC, OUTPUT, Event, Prediction

KEEP_ALIVE = b": keep-alive\n\n"
KEEP_ALIVE_SECONDS = 15.0

_encode = msgspec.json.encode
_OUTPUT = b'id: %d\nevent: output\ndata: {"chunk":%s,"index":%d}\n\n'


def encode_event(prediction: Prediction, number: int, event: Event) -> bytes:
    """Return one event in the wire's form; JSON never holds a line break, so one data line is enough."""
    name, data = event
    if name == OUTPUT:
        index, raw = data
        if b"\n" in raw or b"\r" in raw:
            raw = _encode(msgspec.json.decode(raw))
        return _OUTPUT % (number, raw, index)
    if name == LOG:
        body = _encode({"source": data[0], "data": data[1]})
    elif name == METRIC:
        body = _encode({"name": data.name, "value": data.value, "mode": data.mode})
    elif name == COMPLETED:
        body = prediction.answer()
        if b"\n" in body or b"\r" in body:
            body = _encode(msgspec.json.decode(body))
    else:
        body = _encode({"id": prediction.id, "status": "processing"})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), body)


def encode_from(prediction: Prediction, seen: int) -> tuple[bytes, int]:
    """Return all events after the first `seen`, and how many there are now."""
    events = prediction.events
    total = len(events)
    parts = [
        _OUTPUT % (number, event[1][1], event[1][0])
        if event[0] == OUTPUT
        else encode_event(prediction, number, event)
        for number, event in enumerate(events[seen:], seen + 1)
    ]
    chunk = b"".join(parts)
    # Looking once for what each may hold is a third of the time.
    if chunk.count(b"\n") != 4 * len(parts) or b"\r" in chunk:
        chunk = b"".join(
            encode_event(prediction, number, event) for number, event in enumerate(events[seen:], seen + 1)
        )
    return chunk, total


def last_event_id(header: bytes | None, total: int) -> int:
    """Return how many events a client has seen, by its Last-Event-ID; what is not a number of ours means none."""
    if header is None or not header.isdigit() or len(header) > 9:
        return 0
    return min(int(header), total)
