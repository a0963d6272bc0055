"""Byte ranges: which part of a blob a client wants, and which part of an upload it sends. Pure."""

from __future__ import annotations

import re

from cogyard.http.ranges import UnsatisfiableError, wanted_part
from cogyard.registry.errors import BlobUploadInvalidError, RangeInvalidError

_SENT = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?")


def wanted(header: str | None, size: int, *, method: str = "GET") -> tuple[int, int] | None:
    """Read a Range header: (start, stop) of `size` bytes, or None to send all of them.

    Raises RangeInvalidError beyond the end.
    """
    try:
        part = wanted_part(header, size, method=method)
    except UnsatisfiableError:
        raise RangeInvalidError(
            f"The range {(header or '')[:60]} is not within the blob's {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        ) from None
    return None if part is None else (part.start, part.stop)


def sent(header: str | None) -> tuple[int, int] | None:
    """Read a Content-Range header of an upload, `start-end` with the end included: (offset, length).

    None when there is none. Raises BlobUploadInvalidError for what is no range.
    """
    if header is None:
        return None
    match = _SENT.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise BlobUploadInvalidError(f"Content-Range: {header[:60]!r} is not START-END, both counted from 0.")
    return int(match[1]), int(match[2]) - int(match[1]) + 1


def held(size: int) -> str:
    """Write the Range header that says that an upload holds `size` bytes; none is written 0-0, as everyone does."""
    return f"0-{max(0, size - 1)}"
