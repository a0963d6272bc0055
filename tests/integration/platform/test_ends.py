"""How a platform ends, and what is there when it starts again: nothing is lost, nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cogyard.testing.images import TestImage, make_image

pytestmark = pytest.mark.slow
Model = Callable[..., TestImage]


def _counting(model: Model, record: Path, seconds: float, *, idempotent: bool = False) -> TestImage:
    """Make a model that writes down when it begins and ends a run."""
    body = (
        f"record = open({str(record)!r}, 'a')\nprint('begin', file=record, flush=True)\n"
        f"for n in range(3):\n    yield str(n)\n    time.sleep({seconds} / 3)\nprint('end', file=record, flush=True)"
    )
    return model(body, output="ConcatenateIterator[str]", idempotent=idempotent)


@pytest.mark.parametrize("idempotent", [True, False])
def test_killed_in_the_middle_it_runs_again_only_where_that_is_safe(
    platform: Any, model: Model, tmp_path: Path, idempotent: bool
) -> None:
    """Kill -9 in the middle, then a start: an idempotent prediction runs again, another fails; what waited runs."""
    record = tmp_path / "record"
    version = platform.push(_counting(model, record, 3, idempotent=idempotent), "count")
    created = platform.create(version)
    waiting = platform.create(version)
    platform.until(created["id"], "processing")
    assert platform.instances()
    platform.end(signal.SIGKILL)
    until = time.monotonic() + 60
    while platform.instances() and time.monotonic() < until:
        time.sleep(0.05)
    assert platform.instances() == []
    assert record.read_text().split() == ["begin"]
    platform.start()
    done, later = platform.until(created["id"]), platform.until(waiting["id"])
    assert (later["status"], later["output"]) == ("succeeded", ["0", "1", "2"])
    if idempotent:
        assert (done["status"], done["output"]) == ("succeeded", ["0", "1", "2"])
        assert record.read_text().split() == ["begin", "begin", "end", "begin", "end"]
    else:
        assert (done["status"], "@cog.idempotent" in done["error"]) == ("failed", True)
        assert record.read_text().split() == ["begin", "begin", "end"]


def test_killed_in_its_first_moment_it_was_seen_all_the_same(
    platform: Any, model: Model, tmp_path: Path
) -> None:
    """A model that had begun when the platform was killed, before its start was stored, does not begin again."""
    record = tmp_path / "record"
    body = f"with open({str(record)!r}, 'a') as file:\n    print('begin', file=file)\ntime.sleep(seconds)\nreturn ''"
    version = platform.push(model(body, inputs="seconds: float"), "quick")
    assert platform.run(version, seconds=0)["status"] == "succeeded"
    record.write_text("")
    created = platform.create(version, seconds=5)
    platform.wait_for(record.read_text)
    platform.end(signal.SIGKILL)
    platform.start()
    assert platform.until(created["id"])["status"] == "failed"
    assert record.read_text().split() == ["begin"]


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("victim", ["server", "worker"])
def test_a_model_that_somebody_kills_runs_again_only_where_that_is_safe(
    platform: Any, model: Model, tmp_path: Path, victim: str, idempotent: bool
) -> None:
    """Kill -9 of the model server, or of the model's own process, in the middle of a prediction."""
    record = tmp_path / "record"
    version = platform.push(_counting(model, record, 3, idempotent=idempotent), "count")
    created = platform.create(version)
    platform.until(created["id"], "processing")
    server, *workers = sorted(platform.instances())
    os.kill(server if victim == "server" else workers[-1], signal.SIGKILL)
    done = platform.until(created["id"])
    if idempotent:
        assert (done["status"], done["output"]) == ("succeeded", ["0", "1", "2"])
        assert "signal 9" in done["logs"]
        assert record.read_text().split() == ["begin", "begin", "end"]
    else:
        assert (done["status"], "signal 9" in done["error"]) == ("failed", True)
        assert record.read_text().split() == ["begin"]


def test_killed_while_an_instance_starts_nothing_is_lost(platform: Any, model: Model) -> None:
    """Kill -9 during setup(): the waiting prediction is answered after the next start."""
    version = platform.push(model("return 'ready'", setup="time.sleep(1.5)"), "slow")
    created = platform.create(version)
    time.sleep(0.7)
    platform.end(signal.SIGKILL)
    platform.start()
    assert platform.until(created["id"])["output"] == "ready"


def test_one_signal_lets_what_runs_finish(platform: Any, model: Model, tmp_path: Path) -> None:
    """Ctrl-C once: the running prediction is finished and stored, and the exit status says that all is well."""
    version = platform.push(_counting(model, tmp_path / "record", 2), "count")
    created = platform.create(version)
    platform.until(created["id"], "processing")
    assert platform.end(signal.SIGINT) == 0
    assert (tmp_path / "record").read_text().split() == ["begin", "end"]
    assert platform.instances() == []
    platform.start()
    assert platform.get(created["id"])["status"] == "succeeded"


@pytest.mark.parametrize("idempotent", [True, False])
def test_two_signals_stop_at_once(platform: Any, model: Model, tmp_path: Path, idempotent: bool) -> None:
    """Ctrl-C twice: it ends with 130 before the prediction does; the next start says what became of what ran."""
    version = platform.push(_counting(model, tmp_path / "record", 6, idempotent=idempotent), "count")
    created = platform.create(version)
    platform.until(created["id"], "processing")
    platform.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert platform.end(signal.SIGINT) == 130
    assert platform.instances() == []
    platform.start()
    begun = (tmp_path / "record").read_text
    if idempotent:
        assert "Predictions of the last time that will run: 1." in platform.log
        assert platform.until(created["id"])["output"] == ["0", "1", "2"]
        assert begun().split() == ["begin", "begin", "end"]
    else:
        assert "Predictions that failed because they were interrupted: 1" in platform.log
        assert platform.until(created["id"])["status"] == "failed"
        assert begun().split() == ["begin"]


def test_files_reach_us_while_it_drains(platform: Any, model: Model) -> None:
    """A prediction that ends with a file during the drain still delivers it."""
    body = "time.sleep(2)\nout = Path('late.txt')\nout.write_text('late')\nreturn out"
    created = platform.create(platform.push(model(body, output="Path"), "late"))
    platform.until(created["id"], "processing")
    assert platform.end(signal.SIGTERM) == 0
    platform.start()
    path = "/delivery" + platform.get(created["id"])["output"].partition("/delivery")[2]
    assert platform.http.get(path).content == b"late"


def test_idle_instances_stop_and_start_again(stopped: Any) -> None:
    """Scale to zero and back: after the timeout no process is left, and the next request is answered."""
    stopped.settings["idle_timeout"] = "0.5"
    stopped.start()
    version = stopped.push(make_image(python=stopped.python), "hello")
    assert stopped.run(version, text="a")["output"] == "hello a"
    until = time.monotonic() + 30
    while stopped.instances() and time.monotonic() < until:
        time.sleep(0.1)
    assert stopped.instances() == []
    assert stopped.run(version, text="b")["output"] == "hello b"


def test_more_models_than_places_take_turns(stopped: Any) -> None:
    """With room for one instance, three models are all answered."""
    stopped.settings["max_instances"] = "1"
    stopped.start()
    versions = [
        stopped.push(make_image(python=stopped.python, env=(f"N={number}",)), f"m{number}")
        for number in range(3)
    ]
    ids = [stopped.create(version, text=str(number))["id"] for version in versions for number in range(2)]
    assert all(stopped.until(prediction)["status"] == "succeeded" for prediction in ids)


def test_a_crash_loop_ends_with_its_reason(platform: Any, model: Model) -> None:
    """A model whose setup dies again and again is not started for ever: later predictions fail at once."""
    version = platform.push(model("return ''", setup="os._exit(7)"), "loop")
    errors = [platform.run(version)["error"] for _ in range(6)]
    assert all(errors)
    assert "5 times in a row" in errors[-1]
    starts = [line for line in platform.log.splitlines() if "instance_starting" in line]
    assert len(starts) == 5
