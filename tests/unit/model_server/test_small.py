"""Small pure parts: metrics, exits, restarts, statistics, webhook delays, folders."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cog_server import webhooks
from cog_server.echo import Echo
from cog_server.errors import StartError
from cog_server.folders import Folders
from cog_server.recording import MAX_METRICS, record
from cog_server.statistics import Statistics
from cog_server.workers.exits import Exit, out_of_memory_kills
from cog_server.workers.health import RESTARTS, restart_delay
from cog_server.workers.process import WorkerCommand


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        ([("a", 1, "replace"), ("a", 2, "replace")], {"a": 2}),
        ([("a", 1, "incr"), ("a", 2, "incr")], {"a": 3}),
        ([("a", "x", "append"), ("a", "y", "append")], {"a": ["x", "y"]}),
        ([("a", 1, "replace"), ("a", 2, "append")], {"a": [1, 2]}),
        ([("a.b.c", 1, "replace"), ("a.d", 2, "replace")], {"a": {"b": {"c": 1}, "d": 2}}),
        ([("a", 1, "replace"), ("a", None, "replace")], {}),
        ([("a", 1, "replace"), ("a.b", 2, "replace")], {"a": {"b": 2}}),
        ([("a", True, "replace"), ("a", 2, "incr")], {"a": 2}),
    ],
)
def test_recorded_metrics_combine(steps: list[tuple[str, Any, str]], result: dict[str, Any]) -> None:
    """Values replace, add, append, nest by dots and vanish with None."""
    metrics: dict[str, Any] = {}
    for step in steps:
        record(metrics, *step)
    assert metrics == result


def test_metrics_are_bounded() -> None:
    """A model cannot record without end."""
    metrics: dict[str, Any] = {}
    for number in range(MAX_METRICS + 50):
        record(metrics, f"m{number}", 1, "replace")
    assert len(metrics) == MAX_METRICS


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Exit(status=3), "exit status 3"),
        (Exit(status=-11), "SIGSEGV (signal 11)"),
        (Exit(status=-9), "SIGKILL (signal 9), most often because memory ran out"),
        (Exit(status=-9, out_of_memory=True), "ran out of memory"),
        (Exit(status=-9, by_us="its setup() took too long"), "its setup() took too long"),
        (Exit(status=-63), "signal"),
    ],
)
def test_an_exit_is_told_in_words(how: Exit, words: str) -> None:
    """The cause of a crash is in the sentence that becomes the prediction's error."""
    assert words in how.describe()


def test_memory_kills_are_read_from_the_container(tmp_path: Path) -> None:
    """The kernel's count is read; where there is none it counts as none."""
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 3\noom_kill 2\n")
    assert out_of_memory_kills(events) == 2
    assert out_of_memory_kills(tmp_path / "absent") == 0


def test_restarts_slow_down_and_end() -> None:
    """Starts that never become ready are tried with growing pauses, then given up; young crashes only slow down."""
    delays = [restart_delay(failed_starts=n, crashes=1) for n in range(len(RESTARTS) + 1)]
    assert delays == [*RESTARTS, None]
    assert restart_delay(failed_starts=0, crashes=1) == 0.0
    crashes = [restart_delay(failed_starts=0, crashes=n) for n in (2, 4, 50)]
    assert crashes == [pytest.approx(0.2), pytest.approx(0.8), 5.0]


def test_statistics_in_prometheus_form() -> None:
    """Counts by status, a cumulative histogram that ends in +Inf, sum and count."""
    statistics = Statistics()
    for status, seconds in (("succeeded", 0.002), ("failed", 70.0), ("canceled", None), ("succeeded", 1e6)):
        statistics.ended(status, seconds, waited=0.0 if seconds else None, whole=2.0)
    statistics.refused += 1
    lines = statistics.lines('kind="x"')
    assert 'cog_predictions_total{status="succeeded",kind="x"} 2' in lines
    assert 'cog_predict_seconds_bucket{le="0.005",kind="x"} 1' in lines
    assert 'cog_predict_seconds_bucket{le="+Inf",kind="x"} 3' in lines
    assert 'cog_predict_seconds_count{kind="x"} 3' in lines
    assert 'cog_prediction_wait_seconds_bucket{le="0.001",kind="x"} 3' in lines
    assert 'cog_prediction_seconds_sum{kind="x"} 8.0' in lines
    assert 'cog_predictions_refused_total{kind="x"} 1' in lines
    assert "# TYPE cog_train_seconds histogram" in Statistics("training").lines()


def test_webhook_retries_grow_and_stop_growing() -> None:
    """Delays double up to a minute; only answers that may change are asked for again."""
    delays = [webhooks.retry_delay(n) for n in range(12)]
    assert delays[:3] == [0.1, 0.2, 0.4]
    assert max(delays) == webhooks.LONGEST_WAIT
    assert [webhooks.may_retry(s) for s in (200, 404, 408, 429, 500, 503)] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


def test_without_a_place_for_folders_the_server_says_so(tmp_path: Path) -> None:
    """As in a container with a read-only root: an error with a way out, no traceback."""
    with pytest.raises(StartError, match="no folder for the files of predictions") as caught:
        Folders(tmp_path / "not there")
    assert "--tmpfs /tmp" in str(caught.value.hint)


def test_untouched_folders_are_used_again_and_others_removed(tmp_path: Path) -> None:
    """A folder in which something was made is never handed out again."""
    folders = Folders(tmp_path)
    first = folders.take()
    assert folders.untouched(first)
    assert folders.take() == first
    (Path(first) / "left").write_text("x")
    (Path(first) / "left").unlink()
    assert not folders.untouched(first)
    folders.remove(first)
    assert not Path(first).exists()
    assert folders.take() != first
    locked = Path(folders.take())
    (locked / "inner").mkdir(mode=0o000)
    folders.close()
    assert list(tmp_path.iterdir()) == []


def test_a_vanished_folder_is_no_trouble(tmp_path: Path) -> None:
    """A model that removes its own folder does not break the server."""
    folders = Folders(tmp_path)
    path = folders.take()
    Path(path).rmdir()
    assert not folders.untouched(path)
    folders.remove(path)
    folders.close()


def test_a_folder_that_waited_is_looked_for_before_it_is_given(tmp_path: Path) -> None:
    """Cleaners of old files may take an unused folder away."""
    now = 0.0
    folders = Folders(tmp_path, clock=lambda: now)
    path = folders.take()
    assert folders.untouched(path)
    Path(path).rmdir()
    now = 60.0
    assert Path(folders.take()).is_dir()
    folders.close()


def test_the_worker_s_command_line() -> None:
    """The interpreter's path means the same from the project's folder; references go as they were given."""
    command = WorkerCommand(
        python=Path("bin/python"), project=Path("p"), ref="a.py:B", train_ref="a.py:train"
    )
    line = command.arguments(7)
    assert line[0] == str(Path.cwd() / "bin" / "python")
    assert line[1] == "-c"
    assert "run_module('cog.worker'" in line[2]
    assert line[3:] == [
        "--fd",
        "7",
        "--mode",
        "predict",
        "--ref",
        "a.py:B",
        "--train-ref",
        "a.py:train",
    ]
    assert WorkerCommand(python=Path("python3"), project=Path("p"), ref=None).arguments(3)[0] == "python3"


def test_a_stalled_log_reader_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is written by a thread; when its reader stalls, text is dropped and counted, and the caller never waits."""
    stalled, written = threading.Event(), []

    class Stream:
        def write(self, text: str) -> None:
            stalled.wait(5)
            written.append(text)

        def flush(self) -> None:
            pass

    # The streams are the process's own; there is no other way to stand in for them.
    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    echo = Echo()
    for number in range(10_100):
        echo("stdout", f"{number}\n")
    stalled.set()
    while len(written) < 10_000:
        stalled.wait(0.001)
    echo("stdout", "end\n")
    echo.close()
    assert written[:2] == ["0\n", "1\n"]
    assert written[-1] == "end\n"
    assert "dropped" in written[-2]
