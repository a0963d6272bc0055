"""Batched predictors behind the real server: who is collected, who waits, who fails."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.model_server.live import serving

SOURCE = """
import os, time
import cog

class Predictor:
    @cog.batched(max_size=4, max_wait=0.3)
    def predict(self, text: list[str], file: list[cog.Path] = cog.Input(default=None)) -> list[str]:
        time.sleep(0.2)
        if "slow" in text:
            open("began", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
        read = [one.read_text() if one else "" for one in file]
        return [ValueError("no") if one == "bad" else f"{one}{more} {len(text)}" for one, more in zip(text, read)]
"""


@pytest.fixture
def batching(tmp_path: Path) -> Path:
    """Return a project with a batched predictor."""
    (tmp_path / "predict.py").write_text(
        SOURCE.replace("file: list[cog.Path]", "file: list[cog.Path | None]")
    )
    return tmp_path


def test_predictions_that_come_together_run_together(batching: Path) -> None:
    """Eight callers are served by two calls; each gets its own answer, and a bad one fails alone."""
    with serving(batching) as server, ThreadPoolExecutor(8) as pool:
        texts = ["a", "b", "bad", "d", "e", "f", "g", "h"]
        results = list(pool.map(lambda text: server.result({"text": text}), texts))
        assert [one["output"] for one in results] == [None if t == "bad" else f"{t} 4" for t in texts]
        assert [one["status"] for one in results].count("failed") == 1
        assert results[2]["error"] == "no"
        assert "ValueError" in results[2]["logs"]
        assert server.metric("cog_slots") == 4


def test_a_lonely_prediction_waits_no_longer_than_said(batching: Path) -> None:
    """Nobody else comes: the batch leaves after max_wait."""
    with serving(batching) as server:
        begun = time.monotonic()
        assert server.result({"text": "a"})["output"] == "a 1"
        assert 0.45 < time.monotonic() - begun < 20


def test_one_of_a_batch_is_canceled_and_the_others_keep_their_files(batching: Path) -> None:
    """The canceled one is answered at once; the batch goes on, with the input files of all; nothing is left."""
    given = "data:text/plain;base64,aGVsbG8="
    with serving(batching) as server, ThreadPoolExecutor(2) as pool:
        other = pool.submit(server.result, {"text": "slow", "file": given})
        server.client.put(
            "/predictions/x", json={"input": {"text": "b", "file": given}}, headers={"prefer": "wait=0"}
        )
        server.until((batching / "began").exists, bool)
        server.client.post("/predictions/x/cancel")
        server.until(
            lambda: server.client.get("/predictions/x").json()["status"], lambda status: status == "canceled"
        )
        assert not other.done()
        (batching / "go").touch()
        assert other.result()["output"] == "slowhello 2"
        server.until(server.folders, lambda left: not left)


def test_two_workers_share_the_queue(batching: Path) -> None:
    """With two workers two batches run at a time."""
    with serving(batching, "predict.py:Predictor", "--workers", "2") as server, ThreadPoolExecutor(8) as pool:
        server.until(lambda: server.metric("cog_slots"), lambda slots: slots == 8)
        asked = [pool.submit(server.result, {"text": text}) for text in ["slow", *"bcdefgh"]]
        server.until(lambda: sum(one.done() for one in asked), lambda done: done == 4)
        assert not asked[0].done()
        (batching / "go").touch()
        assert {one.result()["output"].split()[1] for one in asked} == {"4"}
