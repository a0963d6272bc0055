"""Handovers in memory and in their file keep the same promises; and what only a file has to keep."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cogyard.domain.retry import Seen
from cogyard.store.handovers import HandoverFile, boot_id
from cogyard.testing.handovers import FakeHandovers, Ground, HandoversContract, Next

BOOT = "5487a23f"
Opened = Callable[[str], HandoverFile]


def full(*_: object) -> int:
    """Write as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestFakeHandovers(HandoversContract):
    @pytest.fixture
    def process(self) -> Next:
        """Make the next process over one ground."""
        ground = Ground()
        return lambda: FakeHandovers(ground)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open this test's file, in a boot of the machine."""
    with ExitStack() as files:
        yield lambda boot: files.enter_context(closing(HandoverFile.open(tmp_path / "handovers", boot=boot)))


class TestHandoverFile(HandoversContract):
    @pytest.fixture
    def process(self, opened: Opened) -> Next:
        """Open the file once more."""
        return lambda: opened(BOOT)


@pytest.mark.parametrize("boot", ["another", ""])
def test_after_a_power_cut_only_what_is_noted_is_known(opened: Opened, boot: str) -> None:
    """Notes that never reached the disk may be missing, so what is not noted is unknown."""
    before = opened(BOOT)
    before.begin()
    before.note("a")
    after = opened(boot)
    assert (after.seen("a"), after.seen("b")) == (Seen.YES, Seen.UNKNOWN)


def test_where_boots_have_no_name_nothing_is_sure_after_a_restart(opened: Opened) -> None:
    """Two boots without a name may be different ones."""
    before = opened("")
    before.begin()
    assert before.seen("a") is Seen.NO
    assert opened("").seen("a") is Seen.UNKNOWN


@pytest.mark.parametrize("content", [b"", b"x", b"cogyard handovers 1 ", os.urandom(1000)])
def test_a_file_of_something_else_is_believed_nothing(tmp_path: Path, opened: Opened, content: bytes) -> None:
    """Whatever happened to it, it does not say that a model saw nothing; and it can be begun again."""
    (tmp_path / "handovers").write_bytes(content)
    found = opened(BOOT)
    assert found.seen("a") is Seen.UNKNOWN
    found.begin()
    assert found.seen("a") is Seen.NO


def test_the_file_stays_small(tmp_path: Path, opened: Opened) -> None:
    """Its size follows what runs at once, not what has run."""
    file = opened(BOOT)
    file.begin()
    size = (tmp_path / "handovers").stat().st_size
    for number in range(10_000):
        file.note(str(number))
        file.drop(str(number))
    assert (tmp_path / "handovers").stat().st_size == size < 70_000


def test_no_token_can_be_read_from_it(tmp_path: Path, opened: Opened) -> None:
    """A lease's token is a secret, and the file is its owner's."""
    file = opened(BOOT)
    file.begin()
    file.note("a-lease-token")
    assert b"a-lease-token" not in (tmp_path / "handovers").read_bytes()
    assert (tmp_path / "handovers").stat().st_mode & 0o777 == 0o600


def test_a_note_that_cannot_be_written_is_none(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the model is not asked: the note says so, and the slot is used later."""
    file = opened(BOOT)
    file.begin()
    with monkeypatch.context() as patch:
        patch.setattr("cogyard.store.handovers.os.pwrite", full)
        with pytest.raises(OSError, match="space"):
            file.note("a")
    assert file.seen("a") is Seen.NO
    file.note("b")
    file.note("c")
    following = opened(BOOT)
    assert [following.seen(token) for token in "abc"] == [Seen.NO, Seen.YES, Seen.YES]


def test_a_full_disk_at_the_start_names_the_file(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves nothing that a later start would trust."""
    file = opened(BOOT)
    file.begin()
    with monkeypatch.context() as patch:
        patch.setattr("cogyard.store.handovers.os.pwrite", full)
        with pytest.raises(OSError, match="handovers") as raised:
            file.begin()
    assert raised.value.errno == errno.ENOSPC
    assert opened(BOOT).seen("a") is Seen.UNKNOWN


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, opened: Opened) -> None:
    """Nobody has the platform write into another file."""
    (tmp_path / "other").write_text("kept")
    (tmp_path / "handovers").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        opened(BOOT)
    assert (tmp_path / "other").read_text() == "kept"


def test_a_process_that_is_killed_has_noted_what_it_noted(tmp_path: Path, opened: Opened) -> None:
    """Kill -9 between the note and anything else loses no note."""
    program = (
        "import os, signal, sys; from pathlib import Path; from cogyard.store.handovers import HandoverFile, boot_id;"
        "file = HandoverFile.open(Path(sys.argv[1]), boot=boot_id()); file.begin(); file.note('a');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "handovers")], check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    after = opened(boot_id())
    assert after.seen("a") is Seen.YES
    if boot_id():
        assert after.seen("b") is Seen.NO
