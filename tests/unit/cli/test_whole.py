"""A file that a command writes takes nothing else's place."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from cogyard.cli.whole import whole


def test_what_is_written_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A reader sees the older file until the new one is complete; a failure leaves that and nothing beside it."""
    path = tmp_path / "out"
    path.write_bytes(b"older")
    with whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"older"
    assert path.read_bytes() == b"new"

    def fail() -> None:
        with whole(path) as file:
            file.write(b"half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        fail()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    """What it leads to is written, also when that is not there yet."""
    real, link = tmp_path / "deep" / "real", tmp_path / "link"
    real.parent.mkdir()
    if there:
        real.write_bytes(b"older")
    link.symlink_to("deep/real")
    with whole(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    """As is a device: root would otherwise make a file of /dev/null for the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with whole(pipe) as file:
        file.write(b"through")
    reader.join()
    assert got == [b"through"]
    assert pipe.is_fifo()


def test_a_device_is_no_file(tmp_path: Path) -> None:
    """By a link, so that a defect here costs the link and not the machine's device."""
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    with whole(link) as file:
        file.write(b"gone")
    assert link.is_char_device()
    assert list(tmp_path.iterdir()) == [link]
