"""The name of bytes: `sha256:` and 64 hexadecimal digits."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated

import msgspec

from cogyard.oci.errors import InvalidDigestError

PATTERN = r"^sha256:[0-9a-f]{64}\Z"

#: A digest inside a document: decoding refuses anything that does not match `PATTERN`.
Digest = Annotated[str, msgspec.Meta(pattern=PATTERN)]

_DIGEST = re.compile(PATTERN)
_CHUNK = 1 << 20


def parse(text: str) -> str:
    """Return `text` when it is a digest.

    Raises InvalidDigestError.
    """
    if not _DIGEST.match(text):
        shown = text if len(text) <= 100 else text[:100] + "…"
        raise InvalidDigestError(f"{shown!r} is not a digest: it is 'sha256:' and 64 hexadecimal digits")
    return text


def of(data: bytes | memoryview) -> str:
    """Return the digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def hex_of(digest: str) -> str:
    """Return the 64 hexadecimal digits of a digest."""
    return parse(digest).removeprefix("sha256:")
