"""Wheels and Debian packages made on the spot, small and honest unless a test wants otherwise."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakeWheel = Callable[..., Path]
MakeDeb = Callable[..., Path]


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Give a function that writes a wheel: its files, which are stored or executable, and its entry points."""

    def make(
        files: Mapping[str, bytes],
        *,
        name: str = "demo",
        version: str = "1.0",
        stored: bool = False,
        executable: frozenset[str] = frozenset(),
        entry_points: str | None = None,
        record: bool = True,
    ) -> Path:
        path = tmp_path / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        whole = {
            **files,
            f"{info}/METADATA": b"Metadata-Version: 2.1\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        }
        if entry_points is not None:
            whole[f"{info}/entry_points.txt"] = entry_points.encode()
        if record:
            rows = "".join(f"{each},sha256=x,{len(data)}\n" for each, data in whole.items())
            whole[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n".encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
            for each, data in whole.items():
                entry = zipfile.ZipInfo(each, (2026, 1, 1, 0, 0, 0))
                entry.external_attr = (0o755 if each in executable else 0o644) << 16
                entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                archive.writestr(entry, data)
        return path

    return make


@pytest.fixture
def make_deb(tmp_path: Path) -> MakeDeb:
    """Give a function that writes a Debian package: control fields, scripts, and members of its data."""

    def make(
        name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        links: Mapping[str, str] | None = None,
        scripts: Mapping[str, str] | None = None,
        members: tuple[tarfile.TarInfo, ...] = (),
        control: str = "",
    ) -> Path:
        stanza = f"Package: {name}\nVersion: 1.0\nArchitecture: amd64\n{control}"
        records = {
            "control": stanza.encode(),
            **{each: text.encode() for each, text in (scripts or {}).items()},
        }
        path = tmp_path / f"{name}.deb"
        data = _tar(files or {}, links or {}, members)
        path.write_bytes(
            _ar({"debian-binary": b"2.0\n", "control.tar.xz": _tar(records), "data.tar.xz": data})
        )
        return path

    return make


def _tar(
    files: Mapping[str, bytes],
    links: Mapping[str, str] | None = None,
    members: tuple[tarfile.TarInfo, ...] = (),
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for each, data in files.items():
            info = tarfile.TarInfo(f"./{each}")
            info.size, info.mode = len(data), 0o4755 if each.startswith("usr/bin/") else 0o644
            archive.addfile(info, io.BytesIO(data))
        for each, target in (links or {}).items():
            info = tarfile.TarInfo(f"./{each}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        for info in members:
            archive.addfile(info)
    return out.getvalue()


def _ar(members: Mapping[str, bytes]) -> bytes:
    out = bytearray(b"!<arch>\n")
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return bytes(out)
