"""Cancel of sync predictions: at once, once, and never anything else than the prediction meant."""

from __future__ import annotations

import random
import signal
import time
from typing import Any

import pytest
from cog.worker import frames

#: Seconds within which canceled code has ended, waiting in C or not: far less than it would wait, and more than a
#: busy machine adds.
AT_ONCE = 15

WAYS = {
    "time.sleep": "time.sleep(30)",
    "a C function": "ctypes.CDLL(None).usleep(30_000_000)",
    "a subprocess": "subprocess.run(['sleep', '30'])",
    "a socket": "pair = socket.socketpair(); pair[0].recv(1)",
    "a lock": "threading.Event().wait(30)",
    "a busy loop": "\n                while True: pass",
}


@pytest.mark.parametrize("statement", WAYS.values(), ids=WAYS.keys())
def test_code_that_waits_ends_at_once(start: Any, statement: str) -> None:
    """Whatever the author's code waits in, a cancel ends it, and the worker goes on."""
    worker = start(f"""
    import ctypes, socket, subprocess, threading, time
    class Predictor:
        def predict(self, wait: bool) -> str:
            if wait:
                open("started", "w").write("yes")
                {statement}
            return "done"
    """)
    worker.ready()
    worker.predict(1, wait=True)
    worker.wait_for("started")
    time.sleep(0.02)
    began = time.monotonic()
    worker.cancel(1)
    kind, tag, payload = worker.receive()
    assert time.monotonic() - began < AT_ONCE
    assert (kind, tag) == (frames.CANCELED, 1)
    assert payload["predict_time"] > 0
    assert worker.output(2, wait=False) == "done"
    assert worker.stderr() == ""


def test_the_author_can_clean_up(start: Any) -> None:
    """CancelationException is raised in predict(): `except` and `finally` run, undisturbed by a second signal."""
    worker = start("""
    import time
    from cog import CancelationException
    class Predictor:
        def predict(self) -> str:
            try:
                open("started", "w").write("yes")
                time.sleep(30)
            except CancelationException:
                time.sleep(0.2)
                open("cleaned", "w").write("yes")
                raise
    """)
    worker.ready()
    worker.predict(1)
    worker.wait_for("started")
    worker.cancel(1)
    time.sleep(0.05)
    worker.cancel(1)
    assert worker.receive()[0] == frames.CANCELED
    assert worker.wait_for("cleaned", seconds=0.1) == "yes"


def test_swallowing_the_cancel_does_not_undo_it(start: Any) -> None:
    """A prediction that catches everything and returns is canceled all the same."""
    worker = start("""
    import time
    class Predictor:
        def predict(self) -> str:
            try:
                open("started", "w").write("yes")
                time.sleep(30)
            except BaseException:
                pass
            return "I went on"
    """)
    worker.ready()
    worker.predict(1)
    worker.wait_for("started")
    worker.cancel(1)
    assert worker.receive()[0] == frames.CANCELED


def test_a_generator_is_finished(start: Any) -> None:
    """A canceled generator gets the exception where it is, and its `finally` runs before the answer."""
    worker = start("""
    import itertools, time
    from typing import Iterator
    class Predictor:
        def predict(self) -> Iterator[int]:
            try:
                for i in itertools.count():
                    yield i
                    time.sleep(0.001)
            finally:
                open("cleaned", "w").write("yes")
    """)
    worker.ready()
    worker.predict(1)
    for _ in range(5):
        assert worker.receive()[0] == frames.OUTPUT
    worker.cancel(1)
    assert worker.until_terminal(1)[-1][0] == frames.CANCELED
    assert worker.wait_for("cleaned", seconds=0.1) == "yes"


def test_a_cancel_that_comes_first_wins(start: Any) -> None:
    """PREDICT and CANCEL written together: predict() is never entered."""
    worker = start("""
    class Predictor:
        def predict(self, name: str) -> str:
            open(name, "w").write("ran")
            return name
    """)
    worker.ready()
    request = {"id": "a", "input": {"name": "first"}, "context": {}, "dir": str(worker.out)}
    together = frames.encode(frames.PREDICT, 1, __import__("json").dumps(request).encode())
    worker.socket.sendall(together + frames.encode(frames.CANCEL, 1))
    worker.process.send_signal(signal.SIGUSR1)
    assert worker.receive()[0] == frames.CANCELED
    assert worker.output(2, name="second") == "second"
    assert not (worker.folder / "first").exists()


def test_a_late_cancel_hits_nobody(start: Any) -> None:
    """A cancel for a prediction that has ended is dropped, and the next one runs to its end."""
    worker = start("""
    import time
    class Predictor:
        def predict(self, seconds: float) -> str:
            time.sleep(seconds)
            return "slept"
    """)
    worker.ready()
    assert worker.output(1, seconds=0) == "slept"
    worker.cancel(1)
    worker.predict(2, seconds=0.3)
    worker.cancel(1)
    assert worker.receive()[2]["output"] == "slept"


def test_other_frames_wait_their_turn_during_a_cancel(start: Any) -> None:
    """A HEALTHCHECK read while looking for the cancel is answered afterwards."""
    worker = start("""
    import time
    class Predictor:
        def predict(self) -> str:
            open("started", "w").write("yes")
            time.sleep(30)
            return "x"
    """)
    worker.ready()
    worker.predict(1)
    worker.wait_for("started")
    worker.send(frames.HEALTHCHECK)
    worker.cancel(1)
    assert worker.receive()[0] == frames.CANCELED
    assert worker.receive() == (frames.HEALTH, 0, {"ok": True})


def test_cancels_at_any_moment_keep_the_protocol_whole(start: Any) -> None:
    """A storm of cancels at random moments: every prediction ends once, every frame is whole, metrics among them."""
    worker = start("""
    import time
    from typing import Iterator
    import cog
    class Predictor:
        def predict(self, n: int) -> Iterator[str]:
            for i in range(n):
                cog.record_metric("step", i)
                yield "x" * 200
    """)
    worker.ready()
    chance = random.Random(7)  # noqa: S311 - reproducible moments, not secrets
    ends = {frames.SUCCEEDED: 0, frames.CANCELED: 0}
    for tag in range(1, 301):
        worker.predict(tag, n=chance.choice([0, 1, 3, 20, 5000]))
        time.sleep(chance.random() * 0.001)
        worker.cancel(tag)
        kind = worker.until_terminal(tag)[-1][0]
        ends[kind] += 1
    assert ends[frames.CANCELED] > 10
    assert ends[frames.SUCCEEDED] > 10
    worker.send(frames.SHUTDOWN)
    assert worker.wait() == 0
    assert worker.stderr() == ""
