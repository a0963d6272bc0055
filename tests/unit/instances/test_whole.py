"""Layers as parts of a root: unpacked with owners, times and signs of removal, and summed without an overlay."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from cogyard.instances.errors import ImageRefusedError, UnsafeLayerError
from cogyard.instances.unpack import AsRoot, UnpackLimits, unpack
from cogyard.instances.whole import compose

Entries = list[tuple[str, bytes, str]]
"""Name, kind of entry, and a file's text or a link's target."""
FILE, LINK, HARD, FOLDER, PIPE = (
    tarfile.REGTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


def _unpacked(folder: Path, entries: Entries, *, mode: int = 0o640) -> Path:
    archive = folder / f"{len(list(folder.iterdir()))}.tar"
    with tarfile.open(archive, "w") as made:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = kind, mode | 0o111 * (kind == FOLDER), 1_000_000_000
            if kind == FILE:
                entry.size = len(text)
            else:
                entry.linkname = text
            made.addfile(entry, io.BytesIO(text.encode()) if kind == FILE else None)
    target = archive.with_suffix("")
    target.mkdir()
    unpack(archive, target, UnpackLimits(), AsRoot())
    return target


def test_modes_and_times_are_kept(tmp_path: Path) -> None:
    """Compiled Python is told from its source by time; what may be read by whom is the image's matter."""
    tree = _unpacked(tmp_path, [("a", FOLDER, ""), ("a/b", FILE, "x"), ("a/c", HARD, "a/b")])
    found = (tree / "a" / "b").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime, found.st_nlink) == (0o640, 1_000_000_000, 2)
    assert (tree / "a").stat().st_mtime == 1_000_000_000


def test_set_user_id_is_not_kept(tmp_path: Path) -> None:
    """No file of a stranger's becomes one that runs as somebody else."""
    tree = _unpacked(tmp_path, [("su", FILE, "x")], mode=0o6755)
    assert stat.S_IMODE((tree / "su").stat().st_mode) == 0o755


def test_links_may_lead_anywhere_but_are_never_followed(tmp_path: Path) -> None:
    """An absolute link is kept as text; nothing is written or changed where it leads."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    tree = _unpacked(tmp_path, [("etc", LINK, str(outside)), ("etc", FOLDER, ""), ("etc/passwd", FILE, "x")])
    assert (tree / "etc" / "passwd").read_text() == "x"
    assert list(outside.iterdir()) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700
    with pytest.raises(UnsafeLayerError, match="below the link"):
        _unpacked(tmp_path, [("etc", LINK, str(outside)), ("etc/passwd", FILE, "x")])
    assert list(outside.iterdir()) == []


def test_pipes_and_devices_are_left_out(tmp_path: Path) -> None:
    """A root's devices are those that the sandbox makes."""
    assert list(_unpacked(tmp_path, [("pipe", PIPE, "")]).iterdir()) == []


def test_layers_are_summed(tmp_path: Path) -> None:
    """The upper layer's file wins, and what it removes is not there; the layers themselves stay as they are."""
    lower = _unpacked(
        tmp_path,
        [
            ("a", FILE, "low"),
            ("gone", FILE, "x"),
            ("d/old", FILE, "x"),
            ("kept/b", FILE, "b"),
            ("f/x", FILE, "x"),
        ],
    )
    upper = _unpacked(
        tmp_path,
        [
            ("a", FILE, "high"),
            (".wh.gone", FILE, ""),
            ("d/.wh..wh..opq", FILE, ""),
            ("d/new", FILE, "y"),
            ("f", LINK, "kept"),
        ],
    )
    target = tmp_path / "root"
    compose([lower, upper], target)
    assert (target / "a").read_text() == "high"
    assert not (target / "gone").exists()
    assert [path.name for path in (target / "d").iterdir()] == ["new"]
    assert (target / "f").readlink() == Path("kept")
    assert (target / "kept" / "b").stat().st_ino == (lower / "kept" / "b").stat().st_ino
    assert (lower / "gone").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("unfinished")] == []


def test_a_root_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """Where the sandbox mounts something, the image may not have a link."""
    layer = _unpacked(tmp_path, [("proc", LINK, "/etc")])
    with pytest.raises(ImageRefusedError, match="something else than a folder at /proc"):
        compose([layer], tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_name_that_removes_its_own_folder_is_refused(tmp_path: Path) -> None:
    """A sign of removal must name something."""
    for name in (".wh.", ".wh..", ".wh..."):
        with pytest.raises(UnsafeLayerError):
            _unpacked(tmp_path, [(f"a/{name}", FILE, "")])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_are_given_to_whom_root_becomes(tmp_path: Path) -> None:
    """Every entry belongs to the user that the sandbox runs as."""
    archive = tmp_path / "layer.tar"
    with tarfile.open(archive, "w") as made:
        for name, kind in (("a/b/c", FILE), ("a/link", LINK), ("e", FOLDER)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "b" if kind == LINK else ""
            made.addfile(entry, io.BytesIO())
    tree = tmp_path / "tree"
    tree.mkdir()
    unpack(archive, tree, UnpackLimits(), AsRoot(owner=60_900))
    assert {path.lstat().st_uid for path in tree.rglob("*")} == {60_900}
