"""The platform's folder: made, held by one, and cleaned of what an ended platform left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cogyard.compose.datadir import DataDir, DataDirError, Hold, PlatformRunningError, is_held, read_holder
from cogyard.compose.parts import Kept
from cogyard.instances.orphans import MARK, marked
from cogyard.weights.artifact import WeightFile
from cogyard.weights.files import WeightFiles

HOLDER = """
import sys, time
from pathlib import Path
from cogyard.compose.datadir import DataDir, Hold
hold = Hold.take(DataDir(Path(sys.argv[1])))
hold.describe({"pid": 42, "address": "http://127.0.0.1:1"})
print("held", flush=True)
time.sleep(60)
"""


def test_one_platform_a_folder(tmp_path: Path) -> None:
    """A second platform is refused with the address and process of the first; a killed one holds nothing."""
    folder = DataDir(tmp_path)
    assert not is_held(folder)
    child = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert is_held(folder)
        with pytest.raises(PlatformRunningError, match=r"http://127\.0\.0\.1:1 \(process 42\)"):
            Hold.take(folder)
    finally:
        child.kill()
        child.communicate()
    assert not is_held(folder)
    Hold.take(folder).release()
    assert read_holder(folder)["address"] == "http://127.0.0.1:1"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file in the way, there or further up, is called one, and what is to be done is said."""
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "data", file / "far" / "down"):
        with pytest.raises(DataDirError, match=f"{file} is a file, not a folder") as refused:
            DataDir(root).make()
        assert "--data-dir" in (refused.value.hint or "")
    with pytest.raises(DataDirError, match="cannot be written"):
        DataDir(Path("/proc/nowhere")).make()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_stands_in_the_place_of_its_notes_is_named(tmp_path: Path, kind: str) -> None:
    """It says which file and what to do; what a link leads to stays as it is."""
    folder = DataDir(tmp_path)
    (tmp_path / "elsewhere").write_text("kept")
    if kind == "folder":
        folder.handovers.mkdir()
    else:
        folder.handovers.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataDirError, match=f"{folder.handovers} cannot be used") as refused:
        Kept.open(folder)
    assert refused.value.hint
    assert (tmp_path / "elsewhere").read_text() == "kept"


def test_the_folder_is_the_operators_alone(tmp_path: Path) -> None:
    """Password hashes and private models live in it: nobody else may look."""
    folder = DataDir(tmp_path / "new" / "data").make()
    assert folder.root.stat().st_mode & 0o077 == 0


def test_what_a_killed_platform_left_is_removed(tmp_path: Path) -> None:
    """Orphaned processes end, instance folders and half-unpacked layers go, finished layers stay."""
    folder = DataDir(tmp_path)
    for leftover in ("instances/i/project", "layers/unfinished-1/tree", "layers/sha256-aa"):
        (tmp_path / leftover).mkdir(parents=True)
    env = {**os.environ, MARK: f"{folder.mark}/i"}
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env)
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, MARK: "other/i"}
    )
    hold = Hold.take(folder)
    try:
        assert orphan.pid in marked(f"{folder.mark}/")
        assert hold.clean() == 1
        assert orphan.wait(5) == -9
        assert other.poll() is None
        assert list(folder.instances.iterdir()) == []
        assert [path.name for path in folder.layers.iterdir()] == ["sha256-aa"]
    finally:
        hold.release()
        for child in (orphan, other):
            child.kill()
            child.wait()


def test_weights_that_nothing_wanted_for_long_go_at_the_start(tmp_path: Path) -> None:
    """Their files are in the registry; those of sets that an instance wanted lately stay."""
    folder = DataDir(tmp_path)
    files = WeightFiles(folder.weights)
    places = []
    for content in (b"old", b"new"):
        digest, size = files.add([content])
        places.append(files.folder([WeightFile(path="a", digest=digest, size=size, layer=digest)]))
    month = time.time() - 31 * 86400
    os.utime(places[0], (month, month))
    hold = Hold.take(folder)
    try:
        hold.clean()
    finally:
        hold.release()
    assert [place.exists() for place in places] == [False, True]
    assert (places[1] / "a").read_bytes() == b"new"


def test_sockets_have_short_paths_wherever_the_folder_is(tmp_path: Path) -> None:
    """A data folder deep down still has sockets that the system takes."""
    deep = DataDir(tmp_path / ("d" * 100))
    deep.make()
    hold = Hold.take(deep)
    hold.clean()
    try:
        assert len(str(deep.sockets)) < 70
        assert deep.sockets.stat().st_mode & 0o077 == 0
    finally:
        hold.release()
    assert not deep.sockets.exists()
