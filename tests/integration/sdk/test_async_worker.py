"""An async predictor in a real worker process."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cog.worker import frames


def by_tag(worker: Any, count: int) -> dict[int, list[tuple[int, Any]]]:
    """Return the frames of several predictions by tag, until `count` of them have ended."""
    found: dict[int, list[tuple[int, Any]]] = {}
    ended = 0
    while ended < count:
        kind, tag, payload = worker.receive()
        found.setdefault(tag, []).append((kind, payload))
        ended += kind in {frames.SUCCEEDED, frames.FAILED, frames.CANCELED}
    return found


def text_of(seen: list[tuple[int, Any]], source: int = 1) -> str:
    """Return what a prediction printed."""
    return "".join(
        payload["text"] for kind, payload in seen if kind == frames.LOG and payload["source"] == source
    )


SLOW = """
import asyncio
import cog
class Predictor(cog.BasePredictor):
    async def setup(self):
        self.loop = asyncio.get_running_loop()
        print("ready")

    @cog.concurrent(max=8)
    async def predict(self, name: str, seconds: float = 0.0) -> str:
        assert self.loop is asyncio.get_running_loop()
        print("start", name)
        await asyncio.sleep(seconds)
        print("end", name, end="")
        return f"{name} {cog.current_scope().context['who']}"
"""


def test_predictions_run_side_by_side(start: Any) -> None:
    """Eight predictions of 1 s take far less than one after another, on the loop that setup() ran on."""
    worker = start(SLOW)
    ready = worker.ready()
    assert (ready["is_async"], ready["concurrency"]) == (True, 8)
    assert worker.stdout() == "ready\n"
    began = time.monotonic()
    for tag in range(1, 9):
        worker.predict(tag, {"who": f"w{tag}"}, name=f"n{tag}", seconds=1.0)
    seen = by_tag(worker, 8)
    assert time.monotonic() - began < 7
    for tag in range(1, 9):
        assert seen[tag][-1][1]["output"] == f"n{tag} w{tag}"
        assert text_of(seen[tag]) == f"start n{tag}\nend n{tag}"


def test_what_is_printed_belongs_to_the_prediction_that_printed_it(start: Any) -> None:
    """print, logging set up at import, threads of to_thread and tasks of the prediction are all attributed."""
    worker = start("""
    import asyncio, logging, sys
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
    from cog import concurrent
    class Predictor:
        @concurrent(max=2)
        async def predict(self, name: str) -> str:
            logging.info("log %s", name)
            await asyncio.to_thread(print, "thread", name)
            await asyncio.create_task(self.inner(name))
            print("error", name, file=sys.stderr)
            sys.stdout.writelines([f"lines {name}\\n"])
            return name
        async def inner(self, name):
            print("task", name)
    """)
    worker.ready()
    worker.predict(1, name="a")
    worker.predict(2, name="b")
    seen = by_tag(worker, 2)
    for tag, name in ((1, "a"), (2, "b")):
        assert text_of(seen[tag]) == f"log {name}\nthread {name}\ntask {name}\nlines {name}\n"
        assert text_of(seen[tag], 2) == f"error {name}\n"
    assert worker.stdout() == ""


def test_an_error_is_logged_where_it_belongs(start: Any) -> None:
    """A prediction that raises fails alone; its traceback is its own log, without our lines."""
    worker = start("""
    from cog import concurrent
    class Predictor:
        @concurrent(max=2)
        async def predict(self, bad: bool) -> str:
            if bad:
                raise ValueError("boom")
            return "fine"
    """)
    worker.ready()
    worker.predict(1, bad=True)
    worker.predict(2, bad=False)
    seen = by_tag(worker, 2)
    assert seen[1][-1] == (frames.FAILED, {"error": "boom", "predict_time": seen[1][-1][1]["predict_time"]})
    assert text_of(seen[1], 2).endswith("ValueError: boom\n")
    assert "cog/worker" not in text_of(seen[1], 2)
    assert seen[2][-1][1]["output"] == "fine"
    assert len(seen[2]) == 1


def test_async_generators_stream(start: Any) -> None:
    """Pieces of an async generator leave as they are yielded."""
    worker = start("""
    import asyncio, os
    from cog import AsyncConcatenateIterator
    class Predictor:
        async def predict(self) -> AsyncConcatenateIterator[str]:
            yield "first"
            while not os.path.exists("go"):
                await asyncio.sleep(0.005)
            yield "second"
    """)
    assert worker.ready()["iterator"] is True
    worker.predict(1)
    assert worker.receive() == (frames.OUTPUT, 1, {"flags": 0, "output": "first"})
    (worker.folder / "go").write_text("now")
    assert worker.receive() == (frames.OUTPUT, 1, {"flags": 0, "output": "second"})
    assert worker.receive()[0] == frames.SUCCEEDED


def test_a_slow_server_holds_a_fast_generator_back(start: Any) -> None:
    """A generator that yields faster than the server reads waits, instead of filling the memory."""
    worker = start("""
    from collections.abc import AsyncIterator
    class Predictor:
        async def predict(self, n: int) -> AsyncIterator[str]:
            for i in range(n):
                open("made", "w").write(str(i))
                yield "x" * 100_000
    """)
    worker.ready()
    worker.predict(1, n=300)
    worker.receive()
    time.sleep(0.3)
    assert int((worker.folder / "made").read_text() or 0) < 100
    assert len(worker.until_terminal(1)) == 300


@pytest.mark.parametrize(
    "wait",
    ["await asyncio.sleep(30)", "await asyncio.Event().wait()", "await asyncio.to_thread(time.sleep, 0.2)"],
)
def test_a_cancel_ends_the_task(start: Any, wait: str) -> None:
    """Only the canceled prediction ends, with CancelledError, its cleanup done before the answer."""
    worker = start(f"""
    import asyncio, time
    from cog import concurrent
    class Predictor:
        @concurrent(max=2)
        async def predict(self, name: str) -> str:
            try:
                open(name, "w").write("started")
                {wait}
            finally:
                open("cleaned", "w").write(name)
            return "x"
    """)
    worker.ready()
    worker.predict(1, name="one")
    worker.wait_for("one")
    began = time.monotonic()
    worker.cancel(1, sync=False)
    kind, tag, _ = worker.receive()
    assert (kind, tag) == (frames.CANCELED, 1)
    assert time.monotonic() - began < 15
    assert (worker.folder / "cleaned").read_text() == "one"


def test_a_cancel_that_comes_first_or_last_is_harmless(start: Any) -> None:
    """A cancel right behind PREDICT cancels; one for a prediction that has ended is dropped."""
    worker = start("""
    class Predictor:
        async def predict(self) -> str: return "x"
    """)
    worker.ready()
    worker.cancel(9, sync=False)
    assert worker.output(1) == "x"
    worker.cancel(1, sync=False)
    worker.predict(2)
    worker.cancel(2, sync=False)
    kind, tag, _ = worker.receive()
    assert tag == 2
    assert kind in {frames.CANCELED, frames.SUCCEEDED}
    assert worker.output(3) == "x"


def test_swallowing_the_cancel_does_not_undo_it(start: Any) -> None:
    """A task that catches CancelledError and returns is canceled all the same; a generator's pieces stop counting."""
    worker = start("""
    import asyncio
    class Predictor:
        async def predict(self) -> str:
            open("started", "w").write("yes")
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass
            return "I went on"
    """)
    worker.ready()
    worker.predict(1)
    worker.wait_for("started")
    worker.cancel(1, sync=False)
    assert worker.receive()[0] == frames.CANCELED


def test_a_giving_up_of_the_authors_own_is_a_failure(start: Any) -> None:
    """CancelledError that nobody asked for fails the prediction instead of looking like a cancel."""
    worker = start("""
    import asyncio
    class Predictor:
        async def predict(self) -> str:
            raise asyncio.CancelledError
    """)
    worker.ready()
    worker.predict(1)
    assert worker.until_terminal(1)[-1][0] == frames.FAILED


def test_metrics_are_told_apart(start: Any) -> None:
    """Concurrent predictions' metrics carry their own tags, from threads as well."""
    worker = start("""
    import asyncio
    from cog import concurrent, record_metric
    class Predictor:
        @concurrent(max=2)
        async def predict(self, n: int) -> int:
            record_metric("n", n)
            await asyncio.to_thread(record_metric, "thread", n)
            return n
    """)
    worker.ready()
    worker.predict(1, n=10)
    worker.predict(2, n=20)
    seen = by_tag(worker, 2)
    for tag in (1, 2):
        metrics = {payload["name"]: payload["value"] for kind, payload in seen[tag] if kind == frames.METRIC}
        assert metrics == {"n": tag * 10, "thread": tag * 10}


def test_shutdown_waits_for_what_runs(start: Any) -> None:
    """SHUTDOWN lets running predictions end, hears cancels meanwhile, then tears down on the same loop."""
    worker = start("""
    import asyncio
    from cog import concurrent
    class Predictor:
        async def setup(self): self.loop = asyncio.get_running_loop()
        @concurrent(max=2)
        async def predict(self, seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "slept"
        async def teardown(self):
            assert self.loop is asyncio.get_running_loop()
            print("down")
    """)
    worker.ready()
    worker.predict(1, seconds=0.3)
    worker.predict(2, seconds=30)
    worker.send(frames.SHUTDOWN)
    worker.cancel(2, sync=False)
    seen = by_tag(worker, 2)
    assert seen[1][-1][1]["output"] == "slept"
    assert seen[2][-1][0] == frames.CANCELED
    assert worker.wait() == 0
    assert worker.stdout() == "down\n"


def test_the_operators_concurrency_wins(start: Any) -> None:
    """COG_MAX_CONCURRENCY replaces the author's number; nonsense in it fails the setup with a reason."""
    source = "class Predictor:\n    async def predict(self) -> str: return 'x'\n"
    assert start(source, env={"COG_MAX_CONCURRENCY": "3"}).ready()["concurrency"] == 3
    bad = start(source, env={"COG_MAX_CONCURRENCY": "many"})
    assert "COG_MAX_CONCURRENCY is 'many'" in bad.receive()[2]["error"]
    sync = start(
        "class Predictor:\n    def predict(self) -> str: return 'x'\n", env={"COG_MAX_CONCURRENCY": "3"}
    )
    assert sync.ready()["concurrency"] == 1


def test_an_async_healthcheck_is_answered_during_predictions(start: Any) -> None:
    """HEALTH comes while a prediction runs."""
    worker = start("""
    import asyncio
    class Predictor:
        async def predict(self) -> str:
            await asyncio.sleep(0.3)
            return "x"
        async def healthcheck(self):
            await asyncio.sleep(0)
            return False
    """)
    worker.ready()
    worker.predict(1)
    worker.send(frames.HEALTHCHECK)
    assert worker.receive() == (frames.HEALTH, 0, {"ok": False, "error": "healthcheck() returned False"})
    assert worker.receive()[0] == frames.SUCCEEDED
