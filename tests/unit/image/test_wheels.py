"""Wheels in layers: the same files an installer would write, unless the wheel is broken or hostile."""

from __future__ import annotations

import csv
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cogyard.image.errors import HostilePackageError
from cogyard.image.wheels.archive import Installed, Stored, read_wheel
from cogyard.image.wheels.fetch import local
from cogyard.image.wheels.layer import write_wheels
from cogyard.image.wheels.layout import Layout
from cogyard.oci.layer import LayerWriter

MakeWheel = Callable[..., Path]
LAYOUT = Layout(root="opt/cog/model", python="3.11")
SITE = "lib/python3.11/site-packages"
BIG = bytes(range(256)) * 4096


def layer_of(*paths: Path, skeleton: str | None = None) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Return what a layer of these wheels unpacks to."""
    sink = io.BytesIO()
    layer = LayerWriter(sink)
    write_wheels(layer, LAYOUT, [local(path) for path in paths], skeleton=skeleton)
    layer.finish()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(sink.getvalue()))) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            found[member.name] = (member, file.read() if file else b"")
    return found


@pytest.mark.parametrize("stored", [False, True])
def test_a_wheel_unpacks_to_its_files(make_wheel: MakeWheel, stored: bool) -> None:
    """Every file is there with its content, whether the zip compressed it or not, and folders come before files."""
    path = make_wheel(
        {"demo/__init__.py": b"x = 1\n", "demo/data.bin": BIG, "demo/empty.py": b""}, stored=stored
    )
    found = layer_of(path)
    assert found[f"opt/cog/model/{SITE}/demo/data.bin"][1] == BIG
    assert found[f"opt/cog/model/{SITE}/demo/__init__.py"][1] == b"x = 1\n"
    assert found[f"opt/cog/model/{SITE}/demo/empty.py"][1] == b""
    assert list(found) == sorted(found)
    assert found[f"opt/cog/model/{SITE}/demo"][0].isdir()


def test_data_folders_go_where_installers_put_them(make_wheel: MakeWheel) -> None:
    """purelib, platlib, scripts, headers and data each have their place; scripts run by the environment's Python."""
    path = make_wheel(
        {
            "demo-1.0.data/purelib/pure.py": b"1",
            "demo-1.0.data/platlib/plat.so": b"2",
            "demo-1.0.data/scripts/run": b"#!python\nprint(1)\n",
            "demo-1.0.data/scripts/binary": b"\x7fELF",
            "demo-1.0.data/headers/demo.h": b"3",
            "demo-1.0.data/data/share/demo.txt": b"4",
        }
    )
    found = {each.path: each for each in read_wheel(path, "demo", LAYOUT)}
    assert {
        f"{SITE}/pure.py",
        f"{SITE}/plat.so",
        "share/demo.txt",
        "include/site/python3.11/demo/demo.h",
    } <= set(found)
    assert found["bin/run"] == Installed(
        path="bin/run", mode=0o755, content=b"#!/opt/cog/model/bin/python\nprint(1)\n"
    )
    assert (found["bin/binary"].content, found["bin/binary"].mode) == (b"\x7fELF", 0o755)


def test_executable_bits_are_kept(make_wheel: MakeWheel) -> None:
    """A program inside a package can be run; everything else cannot."""
    path = make_wheel({"demo/tool": b"x", "demo/a.py": b""}, executable=frozenset({"demo/tool"}))
    modes = {each.path: each.mode for each in read_wheel(path, "demo", LAYOUT)}
    assert (modes[f"{SITE}/demo/tool"], modes[f"{SITE}/demo/a.py"]) == (0o755, 0o644)


def test_entry_points_become_scripts(make_wheel: MakeWheel) -> None:
    """A console script imports and calls what it names, through attributes and extras; a hostile name makes none."""
    points = (
        "[console_scripts]\nDemo-Run = demo.cli:app.main [extra]\n../../bad = a:b\nworse = os; rm\n"
        "[other]\nx = y:z\n"
    )
    found = {
        each.path: each
        for each in read_wheel(make_wheel({"demo.py": b""}, entry_points=points), "demo", LAYOUT)
    }
    assert [path for path in found if path.startswith("bin/")] == ["bin/Demo-Run"]
    text = found["bin/Demo-Run"].content
    assert isinstance(text, bytes)
    assert b"from demo.cli import app\n" in text
    assert b"sys.exit(app.main())" in text


def test_record_lists_exactly_what_is_there(make_wheel: MakeWheel) -> None:
    """importlib.metadata finds every installed file, scripts and installer included, and nothing else."""
    path = make_wheel(
        {"demo.py": b"", "demo-1.0.data/scripts/run": b"#!python\n"},
        entry_points="[console_scripts]\na=b:c\n",
    )
    installed = {each.path: each for each in read_wheel(path, "demo", LAYOUT)}
    record = installed[f"{SITE}/demo-1.0.dist-info/RECORD"].content
    assert isinstance(record, bytes)
    rows = [row[0] for row in csv.reader(io.StringIO(record.decode()))]
    listed = {row[9:] if row.startswith("../../../") else f"{SITE}/{row}" for row in rows}
    assert listed == set(installed)
    assert installed[f"{SITE}/demo-1.0.dist-info/INSTALLER"].content == b"cogyard\n"


def test_the_skeleton_makes_an_environment(make_wheel: MakeWheel) -> None:
    """With the base's Python the folder is a virtual environment over it."""
    found = layer_of(make_wheel({"demo.py": b""}), skeleton="/usr/local/bin/python3.11")
    assert found["opt/cog/model/bin/python"][0].linkname == "/usr/local/bin/python3.11"
    assert found["opt/cog/model/bin/python3.11"][0].linkname == "python"
    assert b"home = /usr/local/bin\n" in found["opt/cog/model/pyvenv.cfg"][1]


def test_of_two_wheels_with_one_file_the_later_counts(make_wheel: MakeWheel) -> None:
    """A path appears once in a layer, as it does on disk after installing both."""
    first = make_wheel({"shared.py": b"first"}, name="aaa")
    second = make_wheel({"shared.py": b"second"}, name="bbb")
    assert layer_of(first, second)[f"opt/cog/model/{SITE}/shared.py"][1] == b"second"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "/etc/passwd",
        "a/../../b",
        "demo\\..\\x",
        "demo-1.0.data/scripts",
        "demo-1.0.data/other/x",
        "a//b",
    ],
)
def test_a_wheel_that_writes_elsewhere_is_refused(make_wheel: MakeWheel, name: str) -> None:
    """No path leaves the environment."""
    path = make_wheel({name: b"x"})
    with pytest.raises(HostilePackageError) as caught:
        read_wheel(path, "demo.whl", LAYOUT)
    assert "demo.whl" in caught.value.message


def test_broken_wheels_are_refused(make_wheel: MakeWheel, tmp_path: Path) -> None:
    """What is no zip, has no metadata or no RECORD is no wheel."""
    junk = tmp_path / "junk-1-py3-none-any.whl"
    junk.write_bytes(b"PK\x03\x04 but not really")
    bare = tmp_path / "bare-1-py3-none-any.whl"
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("x.py", "")
    for path in (junk, bare, make_wheel({"demo.py": b""}, record=False)):
        with pytest.raises(HostilePackageError):
            read_wheel(path, "it", LAYOUT)


def test_a_lying_directory_is_found_out(make_wheel: MakeWheel) -> None:
    """A zip whose directory names another checksum than its bytes have never becomes a layer."""
    path = make_wheel({"demo/big.bin": BIG})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 16, 12345)
    path.write_bytes(data)
    with pytest.raises(HostilePackageError):
        layer_of(path)


def test_a_stream_is_read_from_the_place_the_directory_says(make_wheel: MakeWheel, tmp_path: Path) -> None:
    """An entry that does not begin with a local header is refused."""
    path = make_wheel({"demo.py": b"x" * 100})
    stored = Stored(wheel=path, member="demo.py", header=5, packed=10, size=100, crc=0, deflated=True)
    with path.open("rb") as file, pytest.raises(HostilePackageError):
        list(stored.chunks(file.fileno()))


def test_a_wheel_that_is_cut_short_is_refused(make_wheel: MakeWheel) -> None:
    """Whether it ends in an entry's bytes or before its local header."""
    path = make_wheel({"demo.py": b"x" * 100})
    whole = Stored(wheel=path, member="demo.py", header=0, packed=1 << 20, size=1 << 20, crc=0, deflated=True)
    beyond = msgspec.structs.replace(whole, header=1 << 20)
    for stored in (whole, beyond):
        with path.open("rb") as file, pytest.raises(HostilePackageError):
            list(stored.chunks(file.fileno()))
