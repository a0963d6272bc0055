"""Data URLs: `data:[media type][;base64],data` to bytes and back."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import pybase64

from cog_server.errors import InputFetchError

LARGE = 256 * 1024
"""Characters from which decoding leaves the event loop (about 0.2 ms of work)."""


@dataclass(frozen=True)
class DataUrl:
    """What a data URL holds, decoded."""

    media_type: str
    data: bytes


def parse(url: str) -> DataUrl:
    """Decode a data URL. Raises InputFetchError when it is malformed."""
    comma = url.find(",", 0, 1024)
    if not url.startswith("data:") or comma < 0:
        raise InputFetchError("a data URL looks like data:image/png;base64,AAAA")
    header = url[5:comma]
    media_type, *parameters = header.split(";")
    if any(parameter.strip().lower() == "base64" for parameter in parameters):
        data = _decode(url[comma + 1 :])
    else:
        data = unquote_to_bytes(url[comma + 1 :])
    return DataUrl(media_type.strip().lower() or "text/plain", data)


def _decode(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    # The slow path: percent-encoded, broken into lines, URL-safe letters, or without padding.
    try:
        raw = unquote_to_bytes(text).translate(_URL_SAFE, b" \t\r\n").rstrip(b"=")
        return pybase64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InputFetchError("the data URL says base64, but what follows is not base64") from exc


_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def make(media_type: str, data: bytes) -> bytes:
    """Return the data URL of `data`, as ASCII bytes."""
    return b"data:" + media_type.encode("ascii", "ignore") + b";base64," + pybase64.b64encode(data)
