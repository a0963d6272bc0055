"""Several worker processes of one model."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.model_server.live import serving

SOURCE = """
import os, time
class Predictor:
    def setup(self):
        with open("setups", "a") as file:
            file.write("x")
    def predict(self, seconds: float) -> str:
        begun = time.monotonic()
        time.sleep(seconds)
        return f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')} {begun} {time.monotonic()}"
"""


def project(folder: Path, source: str = SOURCE) -> Path:
    """Write a project."""
    (folder / "predict.py").write_text(source)
    return folder


def test_workers_run_at_the_same_time_each_set_up_once(tmp_path: Path) -> None:
    """Two workers take two predictions of a sync model at a time, each with its own GPU."""
    arguments = ("--workers", "2", "--gpus", "2")
    with (
        serving(project(tmp_path), "predict.py:Predictor", *arguments) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        server.until(lambda: server.metric("cog_slots"), lambda slots: slots == 2)
        found = [result["output"].split() for result in pool.map(server.result, [{"seconds": 1.0}] * 4)]
        spans = [(float(begun), float(ended)) for _, _, begun, ended in found]
        # How many were under way whenever one began: how long they took together is the machine's matter.
        assert max(sum(begun <= at < ended for begun, ended in spans) for at, _ in spans) == 2
        assert (tmp_path / "setups").read_text() == "xx"
        assert {device for _, device, _, _ in found} == {"0", "1"}
        assert len({pid for pid, *_ in found}) == 2
        assert [one["status"] for one in server.health()["workers"]] == ["READY", "READY"]


def test_a_worker_s_death_fails_only_what_it_ran(tmp_path: Path) -> None:
    """The other worker's prediction succeeds, the model stays READY, and the dead one comes back."""
    with (
        serving(project(tmp_path), "predict.py:Predictor", "--workers", "2") as server,
        ThreadPoolExecutor(4) as pool,
    ):
        server.until(lambda: server.metric("cog_slots"), lambda slots: slots == 2)
        victim = int(server.result({"seconds": 0.0})["output"].split()[0])
        running = [pool.submit(server.result, {"seconds": 1.5}) for _ in range(2)]
        server.until(lambda: server.metric("cog_predictions_running"), lambda count: count == 2)
        assert server.health()["status"] == "BUSY"
        os.kill(victim, signal.SIGKILL)
        ended = [one.result() for one in running]
        # The one says what killed it, the other nothing of a signal.
        assert sorted((one["status"], one.get("signal")) for one in ended) == [
            ("failed", signal.SIGKILL),
            ("succeeded", None),
        ]
        assert server.result({"seconds": 0.0})["status"] == "succeeded"
        server.until(lambda: server.metric("cog_slots"), lambda slots: slots == 2)
        assert server.health()["status"] == "READY"
        server.until((tmp_path / "setups").read_text, lambda text: text == "xxx")


def test_one_worker_that_cannot_start_does_not_take_the_model_away(tmp_path: Path) -> None:
    """With one worker of two the model is READY, and health says what is wrong with the other."""
    source = SOURCE.replace("def setup(self):", "def setup(self):\n        os.mkdir('only-one')")
    with serving(project(tmp_path, source), "predict.py:Predictor", "--workers", "2") as server:
        assert server.result({"seconds": 0.0})["status"] == "succeeded"
        found = server.until(
            server.health,
            lambda health: {w["status"] for w in health["workers"]} == {"READY", "SETUP_FAILED"},
        )
        assert found["status"] == "READY"
