"""A disk without room: what needs room fails in words, what needs none is answered, and room given back is used."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.servers import started
from tests.integration.model_server.live import Server
from tests.small_disk import small_disk as mounted

SIZE = 2 << 20
NODES = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of two megabytes and forty entries."""
    with mounted(tmp_path / "disk", f"size={SIZE},nr_inodes={NODES}") as folder:
        yield folder


def data_url(size: int) -> str:
    """Return a text file of a size as a data URL."""
    return "data:text/plain;base64," + base64.b64encode(b"x" * size).decode()


def fill(folder: Path) -> list[Path]:
    """Take all entries that are left."""
    made: list[Path] = []
    while True:
        path = folder / f"full-{len(made)}"
        try:
            path.touch()
        except OSError:
            return made
        made.append(path)


def is_whole(server: Server, disk: Path) -> None:
    """Check that nothing of any prediction is left and the next ones are answered."""
    server.until(lambda: list(disk.glob("cogyard-*/*/*")), lambda left: left == [])
    assert server.result({"file": data_url(100)})["output"] == ["x" * 100]
    assert server.metric("cog_predictions_running") == server.metric("cog_predictions_waiting") == 0
    assert server.health()["status"] == "READY"


def test_an_input_that_does_not_fit_fails_in_words(project: Path, small_disk: Path) -> None:
    """The reason is the disk, not the caller's JSON; nothing half-written stays."""
    with started(project, "frail.py:Frail", temporary=small_disk) as server:
        for _ in range(4):
            found = server.result({"file": data_url(SIZE + 1000)})
            assert found["status"] == "failed"
            assert "No space left" in found["error"]
        assert server.result({"text": "no file"})["output"] == ["no file"]
        is_whole(server, small_disk)
    assert list(small_disk.iterdir()) == []


def test_an_output_that_does_not_fit_fails_in_words(project: Path, small_disk: Path) -> None:
    """What the model could not write is its exception, as anywhere."""
    with started(project, "frail.py:Writes", temporary=small_disk) as server:
        for _ in range(3):
            found = server.result({"size": SIZE + 100_000})
            assert found["status"] == "failed"
            assert "No space left" in found["error"]
            assert "OSError" in found["logs"]
            for left in small_disk.glob("tmp*/*"):  # the model's own, made by itself
                left.unlink()
        assert server.result({"size": 1000})["status"] == "succeeded"


def test_no_room_for_a_folder_fails_the_prediction_only(project: Path, small_disk: Path) -> None:
    """Even a prediction's folder needs an entry. Without one each prediction ends, in words, and holds no slot."""
    with started(project, "frail.py:Frail", temporary=small_disk) as server:
        full = fill(small_disk)
        for given in ({"text": "a"}, {"file": data_url(10)}, {"text": "b"}):
            found = server.result(given)
            assert found["status"] == "failed"
            assert "No space left" in found["error"]
        later = server.post({"text": "c"}, id="later", headers={"prefer": "respond-async"})
        assert later.status_code == 202
        assert server.client.get("/predictions/later").json()["status"] == "failed"
        for path in full:
            path.unlink()
        is_whole(server, small_disk)
    assert list(small_disk.iterdir()) == []
