"""Data URLs: `data:[media type][;base64],data` to bytes and back."""

from __future__ import annotations

import binascii
import errno
import os
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pybase64

from cog_server.blocks import block
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


def json_of_file(media_type: str, path: Path) -> mmap:
    """Return the data URL of a file as a JSON string: it needs no escaping. Raises OSError."""
    head = b'"data:%s;base64,' % media_type.encode("ascii", "ignore")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = len(head) + (size + 2) // 3 * 4
        # Written piece by piece to its place: no copy of the file, nor of the text.
        text = block(end + 1)
        text[: len(head)] = head
        at = len(head)
        while piece := file.read(_PIECE):
            letters = pybase64.b64encode(piece)
            if at + len(letters) > end:
                raise OSError(errno.EBUSY, "it grew while it was read")
            text[at : at + len(letters)] = letters
            at += len(letters)
        if at != end:
            raise OSError(errno.EBUSY, "it shrank while it was read")
        text[end:] = b'"'
    return text


_PIECE = 72 * 1024
"""Bytes encoded at a time: a multiple of three, and so few that malloc need not ask the system for the result."""
