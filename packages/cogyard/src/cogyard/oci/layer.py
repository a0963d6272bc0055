"""Write a layer: a tar stream in gzip members, the same bytes for the same input.

Theory of operation. A `tar+gzip` layer may be any number of gzip members one after another (RFC 1952,
2.2), so a file whose deflate stream already exists is wrapped as a member of its own and never compressed
again; everything between such files (tar headers, padding, small files) gathers in a buffer and becomes a
member when the next raw stream comes. What is compressed here goes through zlib, whose output for a level
has been the same for many years and on every machine; ISA-L is faster but its output may depend on the
processor, so it only inflates and checks.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import msgspec
from isal import isal_zlib

BLOCK = 512
#: tar pads an archive to whole records of 20 blocks; readers warn about less.
RECORD = 20 * BLOCK
_MEMBER_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_CHUNK = 1 << 20
#: A buffer from this size on becomes a member: large enough to compress well, small enough to do two at once.
_FLUSH_AT = 1 << 20
_AT_ONCE = 2
#: zlib's levels: 6 as everybody; 4 takes half the time, and 3 % more room for bytecode.
THOROUGH, QUICK = 6, 4


#: Written pieces smaller than this are gathered: a wheel of ten thousand small files makes forty thousand.
_GATHER = 1 << 16

#: The kinds of entries: POSIX's numbers, and a PAX header.
_FILE, _HARDLINK, _SYMLINK, _FOLDER, _PAX = b"0", b"1", b"2", b"5", b"x"
#: What all headers have in common: owner and group 0, and the format.
_TEMPLATE = bytes(108) + b"0000000\0" * 2 + bytes(133) + b"ustar\x0000" + bytes(247)
_NAME = 100
_PAX_NAME = "././@PaxHeader"
_OCTAL = 8**11


class Sink(Protocol):
    """Where compressed bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


class LayerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: digests of the compressed and the plain stream, and the sizes of both."""

    digest: str
    diff_id: str
    size: int
    plain_size: int


class CorruptStreamError(ValueError):
    """A deflate stream does not unpack to what its directory says."""


class LayerWriter:
    """Write entries, in the order given, into a sink; `finish` says what came out."""

    def __init__(
        self, sink: Sink, *, mtime: int = 0, diff_id: str | None = None, level: int = THOROUGH
    ) -> None:
        """`mtime` is the time of every entry, in seconds since the epoch; `level` is zlib's.

        `diff_id` is the digest of the plain stream where it is known; then nothing is unpacked to find it, nor to
        check it: the caller compares the digest of what is written.
        """
        self._known = diff_id
        self._sink = sink
        self._mtime = mtime
        self._level = level
        self._outer = hashlib.sha256()
        self._inner = hashlib.sha256()
        self._size = 0
        self._plain = 0
        self._buffer = bytearray()
        self._gathered = bytearray()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[bytes]] = deque()

    def directory(self, path: str, mode: int = 0o755) -> None:
        """Add a folder."""
        self._header(path.rstrip("/") + "/", _FOLDER, mode=mode)

    def symlink(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._header(path, _SYMLINK, mode=0o777, target=target)

    def hardlink(self, path: str, target: str, mode: int = 0o644) -> None:
        """Add a second name for a file that was added before."""
        self._header(path, _HARDLINK, mode=mode, target=target)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a file from memory."""
        self._header(path, _FILE, size=len(data), mode=mode)
        self._put(data)
        self._pad(len(data))

    def stream(
        self, path: str, chunks: Iterable[bytes], size: int, mode: int = 0o644, *, packed: bool = True
    ) -> None:
        """Add a file of `size` bytes from chunks; what does not compress is left as it is without `packed`.

        Raises CorruptStreamError when another number of bytes comes.
        """
        self._header(path, _FILE, size=size, mode=mode)
        if not packed:
            self._flush()
            self._member(path, _store(chunks), size, None)
        else:
            total = 0
            for chunk in chunks:
                total += len(chunk)
                if total > size:
                    break
                self._put(chunk)
            if total != size:
                raise CorruptStreamError(f"{path} has {total} bytes or more, not the {size} announced")
        self._pad(size)

    def rewrap(self, path: str, raw: Iterable[bytes], size: int, crc: int, mode: int = 0o644) -> None:
        """Add a file from its raw deflate stream, checked against `size` and `crc` but not compressed.

        Raises CorruptStreamError when the stream unpacks to something else.
        """
        self._header(path, _FILE, size=size, mode=mode)
        self._flush()
        if self._known is None:
            self._member(path, inflate(path, raw, size), size, crc)
        else:
            self._copied(raw, size, crc)
        self._pad(size)

    def copy(self, tar: Iterable[bytes]) -> LayerSummary:
        """Write a whole archive made elsewhere, and say what was written; the writer is done then."""
        for chunk in tar:
            self._put(chunk)
        return self._end()

    def finish(self) -> LayerSummary:
        """Write the end of the archive and say what was written; the writer is done then."""
        self._put(b"\0" * (2 * BLOCK))
        self._put(b"\0" * (-self._plain % RECORD))
        return self._end()

    def _end(self) -> LayerSummary:
        self._flush()
        self._write(b"")
        self._send()
        return LayerSummary(
            digest="sha256:" + self._outer.hexdigest(),
            diff_id=self._known or "sha256:" + self._inner.hexdigest(),
            size=self._size,
            plain_size=self._plain,
        )

    def _header(self, path: str, kind: bytes, *, size: int = 0, mode: int, target: str = "") -> None:
        self._put(header(path.lstrip("/"), kind, size=size, mode=mode, mtime=self._mtime, target=target))

    def _put(self, data: bytes) -> None:
        self._buffer += data
        self._plain += len(data)
        if len(self._buffer) >= _FLUSH_AT:
            self._flush()

    def _pad(self, size: int) -> None:
        self._put(b"\0" * (-size % BLOCK))

    def _flush(self) -> None:
        """Turn the buffer into a member: at once when it is small, beside the writing of others when it is not."""
        if not self._buffer:
            return
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._known is None:
            self._inner.update(data)
        if len(data) < _FLUSH_AT:
            self._write(_pack(data, self._level))
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._pending.append(self._pool.submit(_pack, data, self._level))
        while len(self._pending) > 2 * _AT_ONCE:
            self._emit(self._pending.popleft().result())

    def _member(self, path: str, pairs: Iterable[tuple[bytes, bytes]], size: int, crc: int | None) -> None:
        self._write(_MEMBER_HEADER)
        seen, total = 0, 0
        for packed, plain in pairs:
            if packed:
                self._write(packed)
            if plain:
                if self._known is None:
                    self._inner.update(plain)
                seen = isal_zlib.crc32(plain, seen)
                total += len(plain)
        if total != size or (crc is not None and seen != crc):
            raise CorruptStreamError(
                f"{path} unpacks to {total} bytes with checksum {seen:08x}, "
                f"not to the {size} bytes"
                + ("" if crc is None else f" with checksum {crc:08x}")
                + " announced"
            )
        self._write(struct.pack("<II", seen, size & 0xFFFFFFFF))
        self._plain += size

    def _copied(self, raw: Iterable[bytes], size: int, crc: int) -> None:
        """Wrap a stream as a member without looking into it."""
        self._write(_MEMBER_HEADER)
        for packed in raw:
            self._write(packed)
        self._write(struct.pack("<II", crc, size & 0xFFFFFFFF))
        self._plain += size

    def _write(self, data: bytes) -> None:
        while self._pending:
            self._emit(self._pending.popleft().result())
        self._emit(data)

    def _emit(self, data: bytes) -> None:
        self._gathered += data
        if len(self._gathered) >= _GATHER:
            self._send()

    def _send(self) -> None:
        """Hash what is gathered and put it into the sink."""
        data = bytes(self._gathered)
        self._gathered.clear()
        self._outer.update(data)
        self._size += len(data)
        self._sink.write(data)


def header(path: str, kind: bytes, *, size: int, mode: int, mtime: int, target: str) -> bytes:
    """Return an entry's tar header, and before it a PAX header where that is needed: as tarfile writes them."""
    if max(size, mtime) >= _OCTAL or min(size, mtime) < 0 or not _is_unicode(path, target):
        import tarfile  # which takes longer to import than a layer of source to write

        info = tarfile.TarInfo(path)
        info.type, info.size, info.mode, info.mtime, info.linkname = kind, size, mode, mtime, target
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    # tarfile takes 60 µs for one, 250 with a PAX header, and an image has thousands that differ in six fields.
    records = _record(b"path", path) + _record(b"linkpath", target)
    block = _block(path, kind, size=size, mode=mode, mtime=mtime, target=target)
    if not records:
        return block
    before = _block(_PAX_NAME, _PAX, size=len(records), mode=0, mtime=0, target="")
    return before + records + bytes(-len(records) % BLOCK) + block


def _is_unicode(*texts: str) -> bool:
    """Whether the texts have bytes in UTF-8: names that came from other bytes have none."""
    return all(each.isascii() or each.encode("utf-8", "ignore").decode() == each for each in texts)


def _record(keyword: bytes, text: str) -> bytes:
    """Return a PAX record for what a header has no room for, empty for what it has.

    Its own length, in decimal, is a part of what it counts.
    """
    if len(text) <= _NAME and text.isascii():
        return b""
    rest = b" %b=%b\n" % (keyword, text.encode())
    length = len(rest) + len(str(len(rest)))
    return b"%d%b" % (len(rest) + len(str(length)), rest)


def _block(path: str, kind: bytes, *, size: int, mode: int, mtime: int, target: str) -> bytes:
    """Return a header's 512 bytes; names lose what does not fit."""
    name, link = (each.encode("ascii", "replace")[:_NAME] for each in (path, target))
    block = bytearray(_TEMPLATE)
    block[: len(name)] = name
    block[100:108] = b"%07o\0" % (mode & 0o7777)
    block[124:148] = b"%011o\0%011o\0" % (size, mtime)
    block[148:157] = b"        " + kind
    block[157 : 157 + len(link)] = link
    # The low half of Adler-32 is one more than the sum, modulo 65521, which 512 bytes of ASCII cannot reach.
    block[148:155] = b"%06o\0" % ((zlib.adler32(block) & 0xFFFF) - 1)
    return bytes(block)


def _pack(data: bytes, level: int) -> bytes:
    """Return data as one gzip member."""
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return _MEMBER_HEADER + zlib.compress(data, level, -15) + trailer


def _store(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (packed, plain) pairs of a deflate stream that does not compress."""
    compressor = zlib.compressobj(0, zlib.DEFLATED, -15)
    for chunk in chunks:
        yield compressor.compress(chunk), chunk
    yield compressor.flush(), b""


def inflate(path: str, raw: Iterable[bytes], limit: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (packed, plain) pairs of a raw deflate stream, never more than `limit` + 1 plain bytes.

    Raises CorruptStreamError for a stream that is broken, unfinished, or followed by something.
    """
    decompressor = isal_zlib.decompressobj(-15)
    total = 0
    for packed in raw:
        try:
            plain = decompressor.decompress(packed, limit + 1 - total)
        except isal_zlib.error as error:  # type: ignore[misc]  # the stub says it is an instance
            raise CorruptStreamError(f"{path} is not a deflate stream: {error}") from None
        total += len(plain)
        if total > limit or decompressor.unconsumed_tail:
            raise CorruptStreamError(f"{path} unpacks to more than the {limit} bytes announced")
        yield packed, plain
    if not decompressor.eof or decompressor.unused_data:
        raise CorruptStreamError(f"{path} is cut short or followed by something")
