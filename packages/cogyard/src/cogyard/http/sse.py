"""Server-sent events as official clients read them: a name and an id in every event."""

from __future__ import annotations

CONTENT_TYPE = "text/event-stream"
COMMENT = b": waiting\n\n"


def encode(event: str, data: str, id: int | str) -> bytes:
    """Return one event; a line break in the data makes another `data:` line.

    Only carriage returns and line feeds break a line, as the standard says; other separators are data.
    """
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(
        (f"event: {event}\n", f"id: {id}\n", *(f"data: {line}\n" for line in lines), "\n")
    ).encode()
