"""A wheel read as what it installs: paths, modes, and where each file's deflate stream lies in the zip."""

from __future__ import annotations

import csv
import io
import os
import re
import struct
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from hashlib import sha256
from pathlib import Path

import msgspec

from cogyard.image.errors import HostilePackageError
from cogyard.image.wheels.layout import Layout

_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENTRY_POINT = re.compile(r"([\w.]+)\s*:\s*([\w.]+)(?:\s*\[.*\])?\Z")
_SCRIPT_NAME = re.compile(r"[\w.-]+\Z")
#: Metadata files, the only ones read into memory, are never this large.
_MAX_METADATA = 64 << 20


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A file's bytes inside a wheel: a raw deflate stream, or plain when it was stored as it is."""

    wheel: Path
    member: str
    header: int
    packed: int
    size: int
    crc: int
    deflated: bool

    def chunks(self, file: int) -> Iterator[bytes]:
        """Yield the bytes as they lie in the zip, which is open as the descriptor `file`."""
        header = os.pread(file, _LOCAL_HEADER.size, self.header)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise HostilePackageError(f"{self.wheel.name} is not a sound zip file")
        fields = _LOCAL_HEADER.unpack(header)
        place = self.header + _LOCAL_HEADER.size + fields[9] + fields[10]
        end = place + self.packed
        while place < end:
            chunk = os.pread(file, min(end - place, _CHUNK), place)
            if not chunk:
                raise HostilePackageError(f"{self.wheel.name} is cut short")
            place += len(chunk)
            yield chunk


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an environment; `path` is relative to the environment's root."""

    path: str
    mode: int
    content: Stored | bytes


def read_wheel(path: Path, name: str, layout: Layout) -> list[Installed]:
    """Return everything that installing the wheel puts into the environment, RECORD and scripts included.

    Raises HostilePackageError for a wheel that is broken or writes elsewhere.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path, name, layout)
    except (
        zipfile.BadZipFile,
        UnicodeDecodeError,
        KeyError,
        csv.Error,
        ConfigParserError,
        struct.error,
    ) as error:
        raise HostilePackageError(f"{name} is not a sound wheel: {error}") from None


def _read(archive: zipfile.ZipFile, path: Path, name: str, layout: Layout) -> list[Installed]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    info = _dist_info([member.filename for member in members], name)
    hashes = {
        row[0]: (row[1], row[2])
        for row in csv.reader(io.StringIO(_text(archive, f"{info}/RECORD")))
        if len(row) == 3
    }
    found: dict[str, Installed] = {}
    rows: list[tuple[str, str, str]] = []
    for member in members:
        if member.filename in {f"{info}/RECORD", f"{info}/RECORD.jws", f"{info}/RECORD.p7s"}:
            continue
        target = _target(member.filename, info, name, layout)
        if member.flag_bits & 0x1 or member.compress_type not in {zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED}:
            raise HostilePackageError(f"{name} has an encrypted or unusual entry: {member.filename!r}")
        if target.startswith("bin/"):
            script = _script(archive.read(member), target, layout)
            found[target] = script
            rows.append(_row(script, layout))
            continue
        installed = _member(member, path, target)
        digest, size = hashes.get(member.filename, ("", ""))
        found[target] = installed
        rows.append((_relative(target, layout), digest, size))
    for each in [
        *_scripts(archive, info, layout),
        _text_file(f"{layout.site_packages}/{info}/INSTALLER", b"cogyard\n"),
    ]:
        found[each.path] = each
        rows.append(_row(each, layout))
    record = f"{layout.site_packages}/{info}/RECORD"
    found[record] = _text_file(record, _record(rows, f"{info}/RECORD"))
    return [found[target] for target in sorted(found)]


def _script(data: bytes, target: str, layout: Layout) -> Installed:
    first, newline, rest = data.partition(b"\n")
    if first.rstrip(b"\r").split(b" ")[0] in {b"#!python", b"#!pythonw"}:
        data = f"#!{layout.interpreter}".encode() + newline + rest
    return Installed(path=target, mode=0o755, content=data)


def _member(member: zipfile.ZipInfo, path: Path, target: str) -> Installed:
    executable = bool((member.external_attr >> 16) & 0o111)
    stored = Stored(
        wheel=path,
        member=member.filename,
        header=member.header_offset,
        packed=member.compress_size,
        size=member.file_size,
        crc=member.CRC,
        deflated=member.compress_type == zipfile.ZIP_DEFLATED,
    )
    return Installed(path=target, mode=0o755 if executable else 0o644, content=stored)


def _dist_info(names: list[str], name: str) -> str:
    found = {
        each.partition("/")[0] for each in names if each.endswith(".dist-info/WHEEL") and each.count("/") == 1
    }
    if len(found) != 1:
        raise HostilePackageError(f"{name} is not a sound wheel: it has {len(found)} .dist-info folders")
    return found.pop()


def _target(filename: str, info: str, name: str, layout: Layout) -> str:
    parts = filename.split("/")
    if filename.startswith("/") or "\\" in filename or "\0" in filename or {"..", ".", ""} & set(parts):
        raise HostilePackageError(f"{name} has a path that leaves its folder: {filename!r}")
    if parts[0] != info.removesuffix(".dist-info") + ".data":
        return f"{layout.site_packages}/{filename}"
    if len(parts) < 3:
        raise HostilePackageError(f"{name} has a file that belongs nowhere: {filename!r}")
    rest = "/".join(parts[2:])
    places = {
        "purelib": f"{layout.site_packages}/{rest}",
        "platlib": f"{layout.site_packages}/{rest}",
        "scripts": f"bin/{rest}",
        "headers": f"include/site/python{layout.python}/{info.partition('-')[0]}/{rest}",
        "data": rest,
    }
    if parts[1] not in places:
        raise HostilePackageError(f"{name} has a file that belongs nowhere: {filename!r}")
    return places[parts[1]]


def _scripts(archive: zipfile.ZipFile, info: str, layout: Layout) -> Iterator[Installed]:
    if f"{info}/entry_points.txt" not in archive.namelist():
        return
    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment]  # names of scripts keep their case
    parser.read_string(_text(archive, f"{info}/entry_points.txt"))
    for section in ("console_scripts", "gui_scripts"):
        for name, value in sorted(parser.items(section)) if parser.has_section(section) else ():
            match = _ENTRY_POINT.match(value.strip())
            if match is None or not _SCRIPT_NAME.match(name) or name in {".", ".."}:
                continue  # installers leave out what they cannot make, too
            module, attribute = match[1], match[2]
            text = (
                f"#!{layout.interpreter}\nimport sys\n\nfrom {module} import {attribute.partition('.')[0]}\n\n"
                f'if __name__ == "__main__":\n    sys.exit({attribute}())\n'
            )
            yield Installed(path=f"bin/{name}", mode=0o755, content=text.encode())


def _text(archive: zipfile.ZipFile, member: str) -> str:
    if archive.getinfo(member).file_size > _MAX_METADATA:
        raise HostilePackageError(f"{member} is larger than {_MAX_METADATA} bytes")
    return archive.read(member).decode("utf-8")


def _text_file(path: str, data: bytes) -> Installed:
    return Installed(path=path, mode=0o644, content=data)


def _row(file: Installed, layout: Layout) -> tuple[str, str, str]:
    assert isinstance(file.content, bytes)  # noqa: S101 - only files made here come here
    digest = urlsafe_b64encode(sha256(file.content).digest()).rstrip(b"=").decode()
    return _relative(file.path, layout), f"sha256={digest}", str(len(file.content))


def _relative(path: str, layout: Layout) -> str:
    inside = f"{layout.site_packages}/"
    return path.removeprefix(inside) if path.startswith(inside) else f"../../../{path}"


def _record(rows: list[tuple[str, str, str]], own: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*sorted(rows), (own, "", "")])
    return out.getvalue().encode()
