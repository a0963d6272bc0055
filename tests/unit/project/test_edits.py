"""Small edits leave everything else as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project.edits import Edit, apply


def edit(path: Path, old: str, text: str, *, start: int | None = None) -> Edit:
    """Return the edit of the first place where `old` stands."""
    begin = path.read_bytes().decode("utf-8-sig").index(old) if start is None else start
    return Edit(path=path, start=begin, end=begin + len(old), old=old, text=text)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_only_what_is_named_changes(tmp_path: Path, mark: bytes) -> None:
    """Line ends, marks, modes and everything around stay to the byte; several edits do not disturb each other."""
    path = tmp_path / "file"
    path.write_bytes(mark + "# ö\r\na: 1\nb: 2".encode())
    path.chmod(0o640)
    edits = [edit(path, "2", "three"), edit(path, "a: 1\n", "")]
    assert len(apply(edits)) == 2
    assert path.read_bytes() == mark + "# ö\r\nb: three".encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_place_that_has_changed_is_left_alone(tmp_path: Path) -> None:
    """An edit applies where its old text stands, and nowhere else; of two that overlap, the first."""
    path = tmp_path / "file"
    path.write_text("abcdef")
    assert apply([edit(path, "xyz", "-", start=0)]) == []
    first, second = edit(path, "abc", "1"), edit(path, "cd", "2")
    assert apply([second, first]) == [first]
    assert path.read_text() == "1def"


def test_a_file_that_is_not_utf_8_is_left_alone(tmp_path: Path) -> None:
    """Rather no edit than a broken file."""
    path = tmp_path / "file"
    path.write_bytes("a: 1".encode("utf-16"))
    assert apply([Edit(path=path, start=0, end=1, old="a", text="b")]) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file behind it is changed."""
    (tmp_path / "real").write_text("a")
    link = tmp_path / "link"
    link.symlink_to("real")
    apply([edit(link, "a", "b")])
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "b"
