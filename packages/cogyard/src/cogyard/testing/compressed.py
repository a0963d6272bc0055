"""Zstandard for tests: what others compress with it, this project only reads."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd as _zstd
else:
    from backports import zstd as _zstd


def zstd(data: bytes) -> bytes:
    """Return data as one frame."""
    return _zstd.compress(data)
