"""Read a tar as it was before it was compressed: by gzip, by zstd, or not at all. What it is, its first bytes say.

The bytes decide and not a media type: docker archives have none, and Docker writes `tar.gzip` over what containerd
compressed anew.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from isal import igzip, isal_zlib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: As many first bytes as tell.
TELLING = 4
_CHUNK = 1 << 20

#: What reading a tar that is broken, or broken where it is compressed, raises. EOFError: it was cut short.
BROKEN: tuple[type[Exception], ...] = (
    tarfile.TarError,
    EOFError,
    igzip.BadGzipFile,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),  # the stub says an instance
    zstd.ZstdError,
)


def plain(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream, which may be a pipe, uncompressed. Reading it raises one of `BROKEN` for what is broken."""
    if stream.seekable():
        start = stream.tell()
        magic = stream.read(TELLING)
        stream.seek(start)
        return _inflated(stream, magic)
    buffered = io.BufferedReader(cast("io.RawIOBase", stream), _CHUNK)
    return _inflated(buffered, buffered.peek(TELLING))


@contextmanager
def open_plain(path: Path) -> Iterator[IO[bytes]]:
    """Open a file uncompressed, as `plain` does."""
    with path.open("rb") as file:
        yield plain(file)


def _inflated(stream: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic.startswith(GZIP):
        return cast("IO[bytes]", igzip.IGzipFile(fileobj=stream))  # type: ignore[no-untyped-call] # no stubs
    if magic.startswith(ZSTD):
        # libzstd itself refuses a frame whose window is larger than 128 MiB, which is what reading may cost.
        return cast("IO[bytes]", zstd.ZstdFile(stream))
    return stream
