"""A sync predictor in a real worker process."""

from __future__ import annotations

from typing import Any

import pytest
from cog.worker import frames

from tests.integration.sdk.predictors import HELLO


def test_a_predictor_answers(start: Any) -> None:
    """READY tells what the model is; a prediction returns what predict() returned."""
    worker = start(HELLO)
    ready = worker.ready()
    assert ready["protocol"] == 1
    assert (ready["is_async"], ready["concurrency"], ready["iterator"], ready["streaming"]) == (
        False,
        1,
        False,
        False,
    )
    assert ready["schema"]["components"]["schemas"]["Input"]["required"] == ["text"]
    assert ready["schema_error"] is None
    assert worker.stdout() == "setting up\n"
    assert worker.output(1, text="you", times=2, factor=3) == "hello youyou"


def test_a_prediction_that_raises_fails_with_its_own_traceback(start: Any) -> None:
    """The error is the exception's text; the traceback, the author's lines only, is in stderr before the answer."""
    worker = start("""
    class Predictor:
        def predict(self, text: str) -> str:
            raise ValueError(text)
    """)
    worker.ready()
    kind, payload = worker.run(1, text="boom")
    assert kind == frames.FAILED
    assert payload["error"] == "boom"
    assert payload["predict_time"] >= 0
    shown = worker.stderr()
    assert shown.count("File ") == 1
    assert "predict.py" in shown
    assert shown.endswith("ValueError: boom\n")
    assert worker.run(2, text="")[1]["error"] == "ValueError"


@pytest.mark.parametrize(
    "statement", ["sys.exit(3)", "raise KeyboardInterrupt", "raise MemoryError", "exit()"]
)
def test_no_exception_takes_the_worker_down(start: Any, statement: str) -> None:
    """Whatever predict() raises, the next prediction runs."""
    worker = start(f"""
    import sys
    class Predictor:
        def predict(self, bad: bool) -> str:
            if bad:
                {statement}
            return "fine"
    """)
    worker.ready()
    assert worker.run(1, bad=True)[0] == frames.FAILED
    assert worker.output(2, bad=False) == "fine"


def test_everything_written_is_in_the_pipes_before_the_answer(start: Any) -> None:
    """Text of print, of unflushed writes and of subprocesses can be read when the terminal frame is there."""
    worker = start("""
    import os, sys
    class Predictor:
        def predict(self) -> str:
            print("printed")
            sys.stdout.write("no line end")
            sys.stderr.write("an error")
            os.system("echo from a subprocess")
            print("lone \\ud800 surrogate")
            return "x"
    """)
    worker.ready()
    assert worker.output(1) == "x"
    for text in ("printed\n", "no line end", "from a subprocess\n", "lone \\ud800 surrogate\n"):
        assert text in worker.stdout()
    assert worker.stderr() == "an error"


def test_what_c_code_prints_is_in_the_pipes_as_well(start: Any) -> None:
    """Text that C holds back, because a pipe is no terminal, belongs to the prediction that wrote it."""
    worker = start("""
    import ctypes
    libc = ctypes.CDLL(None)
    class Predictor:
        def predict(self, n: int) -> int:
            libc.printf(b"step %d from C\\n", n)
            return n
    """)
    worker.ready()
    assert worker.output(1, n=1) == 1
    assert worker.stdout() == "step 1 from C\n"
    assert worker.output(2, n=2) == 2
    assert worker.stdout() == "step 1 from C\nstep 2 from C\n"


def test_input_that_does_not_fit_fails_without_a_traceback(start: Any) -> None:
    """A missing, unknown or wrong input is the caller's fault: it is named, and the author's logs stay clean."""
    worker = start(HELLO)
    worker.ready()
    assert worker.run(1)[1]["error"] == "input 'text': is required"
    assert worker.run(2, text="a", more=1)[1]["error"] == "input 'more': is not one of factor, text, times"
    assert worker.run(3, text="a", times="b")[1]["error"] == "input 'times': 'b' is not a whole number"
    assert worker.stderr() == ""


def test_pieces_leave_as_they_are_yielded(start: Any) -> None:
    """The first piece is with the server while the generator still waits to make the second."""
    worker = start("""
    import os, time
    from cog import ConcatenateIterator
    class Predictor:
        def predict(self) -> ConcatenateIterator[str]:
            yield "first"
            while not os.path.exists("go"):
                time.sleep(0.005)
            yield "second"
    """)
    assert worker.ready()["iterator"] is True
    worker.predict(1)
    assert worker.receive() == (frames.OUTPUT, 1, {"flags": 0, "output": "first"})
    (worker.folder / "go").write_text("now")
    assert worker.receive() == (frames.OUTPUT, 1, {"flags": 0, "output": "second"})
    kind, _, payload = worker.receive()
    assert kind == frames.SUCCEEDED
    assert payload["raw"] == b""


def test_a_generator_that_raises_fails_after_its_pieces(start: Any) -> None:
    """Pieces made before an error are kept; the terminal frame is FAILED."""
    worker = start("""
    from typing import Iterator
    class Predictor:
        def predict(self) -> Iterator[int]:
            yield 1
            raise RuntimeError("no more")
    """)
    worker.ready()
    worker.predict(1)
    kinds = [kind for kind, _ in worker.until_terminal(1)]
    assert kinds == [frames.OUTPUT, frames.FAILED]


def test_a_list_may_stand_in_for_an_iterator(start: Any) -> None:
    """A predictor declared to return an iterator may return any iterable."""
    worker = start("""
    from typing import Iterator
    class Predictor:
        def predict(self) -> Iterator[int]:
            return [1, 2]
    """)
    worker.ready()
    worker.predict(1)
    assert [payload["output"] for _, payload in worker.until_terminal(1)] == [1, 2, None]


def test_metrics_and_context_reach_the_server_and_the_author(start: Any) -> None:
    """record_metric sends METRIC, from threads as well; current_scope() shows the request's context."""
    worker = start("""
    import threading
    import cog
    class Predictor(cog.BasePredictor):
        def predict(self) -> str:
            self.record_metric("tokens.out", 1, mode="incr")
            thread = threading.Thread(target=lambda: cog.record_metric("from_thread", True))
            thread.start(); thread.join()
            self.scope.metrics["label"] = "x"
            del self.scope.metrics["label"]
            return cog.current_scope().context["trace"]
    """)
    worker.ready()
    worker.predict(1, {"trace": "abc"})
    *metrics, (_, done) = worker.until_terminal(1)
    assert done["output"] == "abc"
    assert [payload for _, payload in metrics] == [
        {"name": "tokens.out", "value": 1, "mode": "incr"},
        {"name": "from_thread", "value": True, "mode": "replace"},
        {"name": "label", "value": "x", "mode": "replace"},
        {"name": "label", "value": None, "mode": "replace"},
    ]


def test_large_values_cross_whole(start: Any) -> None:
    """Frames far larger than the socket's buffer come through in both directions."""
    worker = start("""
    class Predictor:
        def predict(self, text: str) -> str:
            return text[::-1]
    """)
    worker.ready()
    text = "abc" * 3_000_000
    assert worker.output(1, text=text) == text[::-1]


def test_a_function_is_a_model(start: Any) -> None:
    """A plain function needs no class, and a name in a folder is imported with its package."""
    worker = start(
        "",
        ref="src/app.py:greet",
        files={
            "src/app.py": "from .words import HELLO\ndef greet(text: str) -> str:\n    return HELLO + text\n",
            "src/words.py": "HELLO = 'hi '\n",
        },
    )
    worker.ready()
    assert worker.output(1, text="you") == "hi you"


def test_a_signature_that_cant_be_described_still_runs(start: Any) -> None:
    """Without a schema the model runs on the input as it comes, and READY says why there is none."""
    worker = start("""
    class Predictor:
        def predict(self, text) -> str:
            return text
    """)
    ready = worker.ready()
    assert ready["schema"] is None
    assert "input 'text' of predict() has no type" in ready["schema_error"]
    assert worker.output(1, text="x") == "x"


def test_training_runs_the_train_function(start: Any) -> None:
    """In train mode the worker runs what --train-ref names; in predict mode its document describes both."""
    source = """
    from cog import BasePredictor
    class Predictor(BasePredictor):
        def predict(self, text: str) -> str: return text
    def train(steps: int = 3) -> int: return steps
    """
    training = start(source, "--mode", "train", "--train-ref", "predict.py:train")
    training.ready()
    assert training.output(1, steps=5) == 5
    predicting = start(source, "--train-ref", "predict.py:train")
    schemas = predicting.ready()["schema"]["components"]["schemas"]
    assert schemas["TrainingInput"]["properties"]["steps"]["default"] == 3
    assert predicting.output(1, text="x") == "x"


def test_a_metric_json_cant_hold_is_the_authors_error(start: Any) -> None:
    """NaN or an object as a metric raises in the author's code; nothing broken is sent."""
    worker = start("""
    import cog
    class Predictor:
        def predict(self, bad: bool) -> str:
            cog.record_metric("loss", float("nan") if bad else 0.5)
            return "x"
    """)
    worker.ready()
    assert worker.run(1, bad=True)[0] == frames.FAILED
    worker.predict(2, bad=False)
    assert [kind for kind, _ in worker.until_terminal(2)] == [frames.METRIC, frames.SUCCEEDED]


def test_training_needs_no_predictor(start: Any) -> None:
    """A project that only trains is started with --train-ref alone."""
    worker = start("def train(n: int) -> int: return n\n", "--mode", "train", ref="predict.py:train")
    worker.ready()
    assert worker.output(1, n=2) == 2
