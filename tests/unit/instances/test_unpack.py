"""Layers that strangers made, unpacked without harm or refused."""

from __future__ import annotations

import errno
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.instances.errors import LayerTooLargeError, UnsafeLayerError
from cogyard.instances.unpack import UnpackLimits, UnpackStoppedError, unpack
from cogyard.testing.compressed import zstd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

Member = tuple[tarfile.TarInfo, bytes | None]


def _file(name: str, data: bytes = b"x", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def _entry(name: str, kind: bytes, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, None


def _archive(path: Path, *members: Member, compress: Callable[[bytes], bytes] = gzip.compress) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    path.write_bytes(compress(buffer.getvalue()))
    return path


def _unpack(tmp_path: Path, *members: Member, limits: UnpackLimits | None = None) -> Path:
    target = tmp_path / "tree"
    target.mkdir()
    unpack(_archive(tmp_path / "layer", *members), target, limits or UnpackLimits())
    return target


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd])
def test_an_ordinary_layer_unpacks(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """Folders, files, modes and links inside come out, read-only because they are shared."""
    target = tmp_path / "tree"
    target.mkdir()
    layer = _archive(
        tmp_path / "layer",
        _entry("src/", tarfile.DIRTYPE),
        _file("./src/predict.py", b"print()"),
        _file("src/bin/run", b"#!/bin/sh", 0o755),
        _entry("src/again", tarfile.LNKTYPE, "src/bin/run"),
        _entry("src/bin/up", tarfile.SYMTYPE, "../predict.py"),
        _file("src/ünï/ö", b"\xff"),
        compress=compress,
    )
    assert unpack(layer, target, UnpackLimits()) == 7 + 9 + 1
    assert (target / "src/predict.py").read_bytes() == b"print()"
    assert (target / "src/predict.py").stat().st_mode & 0o777 == 0o444
    assert (target / "src/bin/run").stat().st_mode & 0o777 == 0o555
    assert (target / "src/again").samefile(target / "src/bin/run")
    assert (target / "src/bin/up").read_bytes() == b"print()"
    assert (target / "src/ünï/ö").read_bytes() == b"\xff"


def test_several_gzip_members_are_one_layer(tmp_path: Path) -> None:
    """Our own layers are many gzip members one after another."""
    whole = _archive(tmp_path / "whole", _file("src/a", b"a" * 5000), compress=bytes).read_bytes()
    (tmp_path / "layer").write_bytes(
        b"".join(gzip.compress(whole[at : at + 700]) for at in range(0, len(whole), 700))
    )
    (tmp_path / "tree").mkdir()
    unpack(tmp_path / "layer", tmp_path / "tree", UnpackLimits())
    assert (tmp_path / "tree/src/a").read_bytes() == b"a" * 5000


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_bomb_ends_at_the_limit(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """Zeros compress a thousand times and more; what counts is what comes out."""
    bomb = _archive(tmp_path / "layer", _file("src/a", bytes(8 << 20)), compress=compress)
    assert bomb.stat().st_size < 20_000
    (tmp_path / "tree").mkdir()
    with pytest.raises(LayerTooLargeError, match="more than 1048576 bytes"):
        unpack(bomb, tmp_path / "tree", UnpackLimits(max_bytes=1 << 20))


def test_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    """The last word on a name counts, as with tar itself; a link that was replaced redirects nothing."""
    target = _unpack(
        tmp_path,
        _file("src/a", b"one"),
        _entry("src/b", tarfile.SYMTYPE, "a"),
        _file("src/b", b"two"),
        _file("src/a", b"three"),
    )
    assert ((target / "src/a").read_bytes(), (target / "src/b").read_bytes()) == (b"three", b"two")


HOSTILE: dict[str, list[Member]] = {
    "parent": [_file("../evil")],
    "parent inside": [_file("src/../../evil")],
    "absolute": [_file("/tmp/evil")],
    "link out": [_entry("src/l", tarfile.SYMTYPE, "../../evil")],
    "link to the root": [_entry("src/l", tarfile.SYMTYPE, "/etc/passwd")],
    "link out of the project": [_entry("src/l", tarfile.SYMTYPE, "../opt")],
    "link at the top": [_entry("l", tarfile.SYMTYPE, "..")],
    "link that turns back": [_entry("src/a/l", tarfile.SYMTYPE, "b/../../../x")],
    "through a link": [_entry("src/d", tarfile.SYMTYPE, "e"), _file("src/d/evil")],
    "through a link, as a folder": [
        _entry("src/d", tarfile.SYMTYPE, "e"),
        _entry("src/d/f", tarfile.DIRTYPE),
    ],
    "hard link out": [_entry("src/h", tarfile.LNKTYPE, "../../etc/passwd")],
    "hard link to the root": [_entry("src/h", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link to nothing": [_entry("src/h", tarfile.LNKTYPE, "src/none")],
    "hard link to a link": [_entry("src/l", tarfile.SYMTYPE, "x"), _entry("src/h", tarfile.LNKTYPE, "src/l")],
    "device": [_entry("src/null", tarfile.CHRTYPE)],
    "block device": [_entry("src/sda", tarfile.BLKTYPE)],
    "pipe": [_entry("src/fifo", tarfile.FIFOTYPE)],
    "whiteout": [_file("src/.wh.secret", b"")],
    "a file below a file": [_file("src/a"), _file("src/a/b")],
    "a link over a folder": [_entry("src/d", tarfile.DIRTYPE), _entry("src/d", tarfile.SYMTYPE, "x")],
    "a name too long": [_file("src/" + "n" * 300)],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_what_leads_out_or_is_no_file_is_refused(tmp_path: Path, members: list[Member]) -> None:
    """Nothing outside the folder is written, read or linked, whatever the layer says."""
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeLayerError):
        _unpack(tmp_path, *members)
    outside = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "tree") or path.name == "layer" for path in outside)
    assert not Path("/tmp/evil").exists()


def test_setuid_bits_and_owners_are_dropped(tmp_path: Path) -> None:
    """No layer makes a program that runs as somebody else."""
    info, data = _file("src/su", b"x", 0o6755)
    info.uid = 0
    target = _unpack(tmp_path, (info, data))
    found = (target / "src/su").stat()
    assert found.st_mode & 0o7000 == 0
    assert found.st_uid == os.getuid()


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    """A small file that unpacks to a large one stops at the limit, not at the end of the disk."""
    with pytest.raises(UnsafeLayerError, match="more than 1048576 bytes"):
        _unpack(tmp_path, _file("src/bomb", b"\0" * (8 << 20)), limits=UnpackLimits(max_bytes=1 << 20))


def test_what_announces_too_much_is_not_begun(tmp_path: Path) -> None:
    """A file of a size beyond the limit ends it at its header, with nothing written."""
    huge = tarfile.TarInfo("src/huge")
    huge.size = 1 << 40
    archive = tmp_path / "layer"
    archive.write_bytes(gzip.compress(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    (tmp_path / "tree").mkdir()
    with pytest.raises(LayerTooLargeError):
        unpack(archive, tmp_path / "tree", UnpackLimits(max_bytes=1 << 30))
    assert not list((tmp_path / "tree").iterdir())


def test_it_ends_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    """In the middle of a file too."""
    reads: list[int] = []

    def stopped() -> bool:
        reads.append(1)
        return len(reads) > 4

    archive = _archive(tmp_path / "layer", _file("src/a", bytes(64 << 20)))
    (tmp_path / "tree").mkdir()
    with pytest.raises(UnpackStoppedError):
        unpack(archive, tmp_path / "tree", UnpackLimits(), stopped=stopped)
    assert (tmp_path / "tree/src/a").stat().st_size < 64 << 20


def test_a_bomb_of_names_is_stopped(tmp_path: Path) -> None:
    """Entries count too: they cost the disk its inodes."""
    with pytest.raises(UnsafeLayerError, match="more than 10 entries"):
        _unpack(tmp_path, *(_file(f"src/{n}", b"") for n in range(11)), limits=UnpackLimits(max_entries=10))


def _long_header(size: int) -> bytes:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b\x08\x00garbage",
        b"not an archive at all" * 100,
        gzip.compress(b"x" * 1024)[:-6],
        gzip.compress(_long_header(2 << 30) + b"\0" * 4096),
        gzip.compress(_long_header(900) + b"\xff" * 4096),
    ],
    ids=["empty", "broken gzip", "not tar", "cut gzip", "a header of 2 GiB", "a broken header"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """Damaged or hostile bytes are an error with a message, not a traceback and not gigabytes of memory."""
    (tmp_path / "layer").write_bytes(content)
    (tmp_path / "tree").mkdir()
    with pytest.raises(UnsafeLayerError):
        unpack(tmp_path / "layer", tmp_path / "tree", UnpackLimits())


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    """An archive that ends in the middle of a file does not count as that file."""
    whole = _archive(tmp_path / "whole", _file("src/a", b"a" * 5000), compress=bytes).read_bytes()
    (tmp_path / "layer").write_bytes(whole[:3000])
    (tmp_path / "tree").mkdir()
    with pytest.raises(UnsafeLayerError):
        unpack(tmp_path / "layer", tmp_path / "tree", UnpackLimits())


_NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "src", "", "c\n"]), min_size=1, max_size=4).map(
    "/".join
)
_KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


def _is_loop(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(entries=[("a", tarfile.SYMTYPE, "a//a")])
@given(entries=st.lists(st.tuples(_NAMES, _KINDS, _NAMES), min_size=1, max_size=6))
def test_nothing_ever_leads_out(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, bytes, str]]
) -> None:
    """Whatever the mix of files and links, all that was made resolves inside the folder."""
    home = tmp_path_factory.mktemp("fuzz")
    members = [
        _file(name) if kind == tarfile.REGTYPE else _entry(name, kind, link) for name, kind, link in entries
    ]
    target = home / "tree"
    target.mkdir()
    _quietly(lambda: unpack(_archive(home / "layer", *members), target, UnpackLimits()))
    for path in target.rglob("*"):
        if _is_loop(path):
            continue  # leads nowhere, and realpath would only guess where (`a` to `a//a`: the file `/a`)
        assert Path(os.path.realpath(path)).is_relative_to(target)
    assert {path.name for path in home.iterdir()} == {"tree", "layer"}


def _quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except UnsafeLayerError:
        return
