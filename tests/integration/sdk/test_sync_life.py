"""A worker's end, its health, and what would take it down: none of it costs a prediction that it need not."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from cog.worker import frames

from tests.integration.sdk.predictors import HELLO


def test_shutdown_finishes_what_runs_and_tears_down(start: Any) -> None:
    """SHUTDOWN during a prediction lets it answer; then teardown() and atexit run, and the exit status is 0."""
    worker = start("""
    import atexit, time
    class Predictor:
        def predict(self) -> str:
            time.sleep(0.2)
            return "done"
        def teardown(self):
            print("torn down")
            atexit.register(print, "at exit")
    """)
    worker.ready()
    worker.predict(1)
    worker.send(frames.SHUTDOWN)
    assert worker.receive()[2]["output"] == "done"
    assert worker.wait() == 0
    assert worker.stdout() == "torn down\nat exit\n"


def test_a_teardown_that_raises_is_shown_and_ends_well(start: Any) -> None:
    """An error in teardown() is in the logs; the worker ends with status 0 all the same."""
    worker = start("""
    class Predictor:
        def predict(self) -> str: return "x"
        def teardown(self): raise RuntimeError("stuck")
    """)
    worker.ready()
    worker.send(frames.SHUTDOWN)
    assert worker.wait() == 0
    assert "RuntimeError: stuck" in worker.stderr()


def test_healthcheck_is_answered(start: Any) -> None:
    """HEALTH says what healthcheck() returned or raised."""
    worker = start("""
    import os
    class Predictor:
        def predict(self) -> str: return "x"
        def healthcheck(self) -> bool:
            if os.path.exists("broken"): raise RuntimeError("GPU is gone")
            return not os.path.exists("bad")
    """)
    assert worker.ready()["healthcheck"] is True
    worker.send(frames.HEALTHCHECK)
    assert worker.receive() == (frames.HEALTH, 0, {"ok": True})
    (worker.folder / "bad").touch()
    worker.send(frames.HEALTHCHECK)
    assert worker.receive()[2] == {"ok": False, "error": "healthcheck() returned False"}
    (worker.folder / "broken").touch()
    worker.send(frames.HEALTHCHECK)
    assert worker.receive()[2] == {"ok": False, "error": "GPU is gone"}


def test_a_model_without_healthcheck_is_healthy(start: Any) -> None:
    """HEALTH is ok where the author wrote no check."""
    worker = start(HELLO)
    assert worker.ready()["healthcheck"] is False
    worker.send(frames.HEALTHCHECK)
    assert worker.receive() == (frames.HEALTH, 0, {"ok": True})


def test_an_unknown_frame_ends_the_worker_with_a_reason(start: Any) -> None:
    """A kind of frame from another version of the protocol is an error that says so."""
    worker = start(HELLO)
    worker.ready()
    worker.send(0x7F)
    assert worker.wait() == 1
    assert "0x7f" in worker.stderr()
    assert "version 1" in worker.stderr()


def test_a_fork_of_the_authors_does_not_speak_for_the_worker(start: Any) -> None:
    """Processes that predict() forks run and end without touching the protocol."""
    worker = start("""
    import multiprocessing
    class Predictor:
        def predict(self, n: int) -> list[int]:
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return pool.map(abs, range(-n, 0))
    """)
    worker.ready()
    assert worker.output(1, n=3) == [3, 2, 1]
    assert worker.output(2, n=1) == [1]


def test_closing_stdout_harms_nobody(start: Any) -> None:
    """A predictor that closes or replaces its streams still answers."""
    worker = start("""
    import io, sys
    class Predictor:
        def predict(self) -> str:
            sys.stdout = None
            sys.stderr.close()
            return "x"
    """)
    worker.ready()
    assert worker.output(1) == "x"
    assert worker.output(2) == "x"


def test_a_second_release_of_the_signal_is_harmless(start: Any) -> None:
    """SIGUSR1 without a CANCEL frame does nothing, idle or busy."""
    worker = start("""
    import time
    class Predictor:
        def predict(self, seconds: float) -> str:
            time.sleep(seconds)
            return "slept"
    """)
    worker.ready()
    worker.process.send_signal(signal.SIGUSR1)
    worker.predict(1, seconds=0.3)
    worker.process.send_signal(signal.SIGUSR1)
    assert worker.receive()[2]["output"] == "slept"


def test_a_failure_with_stderr_gone_is_still_an_answer(start: Any) -> None:
    """A traceback that can't be written does not take the worker down."""
    worker = start("""
    import sys
    class Predictor:
        def predict(self, text: str) -> str:
            sys.stderr.close()
            raise ValueError(text)
    """)
    worker.ready()
    assert worker.run(1, text="one")[1]["error"] == "one"
    assert worker.run(2, text="two")[0] == frames.FAILED


@pytest.mark.parametrize("word", ["", "async "])
def test_a_request_that_cant_be_read_fails_alone(start: Any, word: str) -> None:
    """JSON that is broken or nested without end fails its prediction; the worker goes on."""
    worker = start(
        f"class Predictor:\n    {word}def predict(self, x: dict = {{}}) -> str:\n        return 'x'\n"
    )
    worker.ready()
    for tag, payload in enumerate((b"{", b"\xff", b"[" * 200_000), 1):
        worker.socket.sendall(frames.encode(frames.PREDICT, tag, payload))
        kind, answered, failed = worker.receive()
        assert (kind, answered) == (frames.FAILED, tag)
        assert "can't be read" in failed["error"]
    assert worker.output(9) == "x"


def test_processes_spawned_by_the_author_find_the_authors_code(start: Any) -> None:
    """Multiprocessing with "spawn" works on functions of predict.py, without loading the model again."""
    worker = start("""
    import multiprocessing
    def square(n):
        return n * n
    class Predictor:
        def setup(self):
            with open("setups", "a") as file: file.write("x")
        def predict(self, n: int) -> list[int]:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.map(square, range(n))
    """)
    worker.ready()
    assert worker.output(1, n=3) == [0, 1, 4]
    assert (worker.folder / "setups").read_text() == "x"
