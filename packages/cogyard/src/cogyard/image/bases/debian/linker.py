"""The dynamic linker's cache, /etc/ld.so.cache, read and written as ldconfig does.

Programs find libraries in Debian's usual folders without it; what needs it is `ctypes.util.find_library`, which asks
`ldconfig -p`, and packages that bring a folder of their own. Format: glibc's sysdeps/generic/dl-cache.h, version 1.1.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CACHE = "etc/ld.so.cache"
CONFIGURATION = r"etc/ld\.so\.conf\.d/[^/]+\.conf"

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
#: FLAG_ELF_LIBC6 with the architecture's 64-bit flag; and the machine's number in ELF.
_FLAGS: Mapping[str, tuple[int, int]] = {"amd64": (0x0303, 62), "arm64": (0x0A03, 183)}
TRIPLETS: Mapping[str, str] = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_PT_LOAD, _PT_DYNAMIC, _DT_STRTAB, _DT_SONAME = 1, 2, 5, 14
#: No library is called like this; a longer name is a broken file.
_LONGEST_NAME = 255
_NUMBERS = re.compile(rb"(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """A name programs ask for, and the file that answers."""

    soname: str
    path: str


def folders(configurations: Iterable[str], architecture: str) -> list[str]:
    """Return where libraries are looked for, in order, without leading slashes."""
    named = [
        line.strip().lstrip("/")
        for text in configurations
        for line in text.splitlines()
        if line.strip().startswith("/")
    ]
    triplet = TRIPLETS[architecture]
    every = [_merged(each) for each in [*named, f"usr/lib/{triplet}", "usr/lib"]]
    return list(dict.fromkeys(every))


def soname_of(data: bytes, architecture: str) -> str | None:
    """Return the name a shared library gives itself; None for any other file or another machine's."""
    try:
        return _soname(data, _FLAGS[architecture][1])
    except (struct.error, IndexError, ValueError):
        return None


def read_cache(data: bytes) -> list[Library]:
    """Return a cache's entries; none for a file that is not one of today's."""
    try:
        magic, count, _, _, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC or count > len(data):
            return []
        found = []
        for index in range(count):
            _, key, value, _, _ = _ENTRY.unpack_from(data, _HEADER.size + index * _ENTRY.size)
            found.append(Library(soname=_text(data, key), path=_text(data, value)))
    except (struct.error, ValueError):
        return []
    return found


def write_cache(libraries: Iterable[Library], architecture: str) -> bytes:
    """Return a cache's bytes; of several files for one name the first counts."""
    flags = _FLAGS[architecture][0]
    chosen: dict[str, Library] = {}
    for each in libraries:
        chosen.setdefault(each.soname, each)
    ordered = sorted(chosen.values(), key=lambda each: _order(each.soname), reverse=True)
    start = _HEADER.size + len(ordered) * _ENTRY.size
    strings, entries = bytearray(), bytearray()
    for each in ordered:
        key = start + len(strings)
        strings += each.soname.encode() + b"\0"
        value = start + len(strings)
        strings += each.path.encode() + b"\0"
        entries += _ENTRY.pack(flags, key, value, 0, 0)
    return _HEADER.pack(_MAGIC, len(ordered), len(strings), _LITTLE_ENDIAN, 0) + bytes(entries + strings)


def _order(soname: str) -> list[tuple[int, int, bytes]]:
    """Return a key that sorts as glibc's _dl_cache_libcmp: digits by value, and after other characters."""
    parts = _NUMBERS.split(soname.encode())
    key: list[tuple[int, int, bytes]] = []
    for index, part in enumerate(parts):
        if index % 2:
            key.append((1, int(part), b""))
        else:
            key.extend((0, character, b"") for character in part)
    return key


def _soname(data: bytes, machine: int) -> str | None:
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != machine:
        return None
    offset, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    loads, dynamic = [], None
    for index in range(count):
        kind, _, file_offset, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + index * size)
        if kind == _PT_LOAD:
            loads.append((address, file_offset, length))
        elif kind == _PT_DYNAMIC:
            dynamic = (file_offset, length)
    if dynamic is None:
        return None
    table = name = None
    for at in range(dynamic[0], dynamic[0] + dynamic[1], 16):
        tag, value = struct.unpack_from("<qQ", data, at)
        if tag == 0:
            break
        if tag == _DT_STRTAB:
            table = value
        elif tag == _DT_SONAME:
            name = value
    if table is None or name is None:
        return None
    for address, file_offset, length in loads:
        if address <= table < address + length:
            return _text(data, table - address + file_offset + name) or None
    return None


def _text(data: bytes, start: int) -> str:
    end = data.index(b"\0", start, start + _LONGEST_NAME + 1)
    return data[start:end].decode("ascii")


def _merged(folder: str) -> str:
    clean = "/".join(itertools.filterfalse(lambda part: part in {"", ".", ".."}, folder.split("/")))
    return f"usr/{clean}" if clean.partition("/")[0] in {"lib", "lib64"} else clean
