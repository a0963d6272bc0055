"""Starting a worker: setup(), its weights, and everything that keeps a model from being ready."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cog.worker import frames


@pytest.mark.parametrize(
    ("source", "ref", "error", "traceback"),
    [
        ("import no_such_package_at_all", "predict.py:Predictor",
         "No module named 'no_such_package_at_all'\n  A package is named in", True),
        ("def f(:", "predict.py:Predictor", "invalid syntax (predict.py, line 1)", True),
        ("class Predictor:\n    def setup(self): raise RuntimeError('no GPU')\n    def predict(self) -> str: ...",
         "predict.py:Predictor", "no GPU", True),
        ("class Predictor:\n    def __init__(self): raise RuntimeError('no')\n    def predict(self) -> str: ...",
         "predict.py:Predictor", "no", True),
        ("import sys; sys.exit('not here')", "predict.py:Predictor", "not here", True),
        ("class Model:\n    def predict(self) -> str: ...", "predict.py:Predictor",
         "'predict.py:Predictor': predict.py has no Predictor. It defines Model.", False),
        ("", "other.py:Predictor", "'other.py:Predictor': there is no file other.py in ", False),
        ("", "../a.py:B", "'../a.py:B': ../a.py is outside of the project ", False),
        ("", "predict", "'predict' is no reference to a predictor. Write it as file.py:Name, ", False),
        ("class Predictor:\n    def setup(self, device): ...\n    def predict(self) -> str: ...",
         "predict.py:Predictor", "setup() takes 'device'; it can only take `weights`, or nothing", False),
        ("class Predictor:\n    def nothing(self): ...", "predict.py:Predictor",
         "Predictor has no method predict or run\n  Write `def predict(self, …) -> …` in it.", False),
        ("class Predictor:\n    async def setup(self): ...\n    def predict(self) -> str: ...",
         "predict.py:Predictor", "an async setup() needs an async predict() or run()", False),
        ("class Predictor:\n    async def setup(self): raise OSError('late')\n    async def predict(self) -> str: ...",
         "predict.py:Predictor", "late", True),
    ],
)  # fmt: skip
def test_setup_that_fails_says_why(start: Any, source: str, ref: str, error: str, traceback: bool) -> None:
    """SETUP_FAILED names the reason, stderr shows the author's own traceback where there is one; exit status 1."""
    worker = start(source, ref=ref)
    kind, _, payload = worker.receive()
    assert kind == frames.SETUP_FAILED
    assert payload["error"].startswith(error)
    assert worker.wait() == 1
    shown = worker.stderr()
    assert ("Traceback" in shown or "SyntaxError" in shown) == traceback
    assert "cog/worker" not in shown


def test_no_options_of_ours_reach_the_model(start: Any) -> None:
    """Research code that reads its options when it is imported finds none, and its own name as the program's."""
    worker = start("""
    import argparse, os, sys
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=3)
    SIZE = parser.parse_args().size
    class Predictor:
        def predict(self) -> str: return f"{SIZE} {len(sys.argv)} {os.path.basename(sys.argv[0])}"
    """)
    worker.ready()
    assert worker.output(1) == "3 1 predict.py"


def test_setup_runs_once_before_ready(start: Any) -> None:
    """What setup() prints is in the pipes when READY comes; it runs once however many predictions follow."""
    worker = start("""
    class Predictor:
        def setup(self) -> None:
            print("once")
        def predict(self) -> str: return "x"
    """)
    worker.ready()
    assert worker.stdout() == "once\n"
    worker.output(1)
    worker.output(2)
    assert worker.stdout() == "once\n"


WEIGHTS = """
from typing import Optional
from cog import File, Path
class Predictor:
    def setup(self, weights: {kind}{default}) -> None:
        self.found = {found}
    def predict(self) -> str:
        return self.found
"""


@pytest.fixture
def weights_url(tmp_path: Path) -> Iterator[str]:
    """Serve one file on a port of its own."""
    (tmp_path / "w.bin").write_text("from afar")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/w.bin"
        server.shutdown()


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("Path", "weights.read_text()"),
        ("Optional[Path]", "weights.read_text()"),
        ("File", "weights.read().decode()"),
    ],
)
def test_weights_are_fetched(start: Any, weights_url: str, kind: str, found: str) -> None:
    """COG_WEIGHTS as an address: a Path is there when setup() runs, a File is read on demand."""
    worker = start(WEIGHTS.format(kind=kind, default="", found=found), env={"COG_WEIGHTS": weights_url})
    worker.ready()
    assert worker.output(1) == "from afar"


def test_weights_may_be_text_a_path_or_missing(start: Any) -> None:
    """A str gets COG_WEIGHTS as it is, a Path the local file; there are none where nobody gave any."""
    text = start(WEIGHTS.format(kind="str", default="", found="weights"), env={"COG_WEIGHTS": "https://x/y"})
    text.ready()
    assert text.output(1) == "https://x/y"
    local = start(
        WEIGHTS.format(kind="Path", default="", found="weights.read_text()"), files={"weights": "near"}
    )
    local.ready()
    assert local.output(1) == "near"
    none = start(WEIGHTS.format(kind="Optional[Path]", default="", found="str(weights)"))
    none.ready()
    assert none.output(1) == "None"
    undeclared = start(WEIGHTS.format(kind="Path", default="", found="str(weights)"))
    undeclared.ready()
    assert undeclared.output(1) == "None"
    default = start(WEIGHTS.format(kind="Path", default=" = None", found="str(weights)"))
    default.ready()
    assert default.output(1) == "None"


def test_weights_that_cant_be_had_fail_setup(start: Any, weights_url: str) -> None:
    """Weights that can't be fetched are a clear setup error."""
    gone = start(
        WEIGHTS.format(kind="Path", default="", found="str(weights)"),
        env={"COG_WEIGHTS": f"{weights_url}.gone"},
    )
    kind, _, payload = gone.receive()
    assert kind == frames.SETUP_FAILED
    assert "404" in payload["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--fd", "x", "--ref", "a.py:B"],
        ["--fd", "3"],
        ["--fd", "3", "--ref", "a.py:B", "--mode", "x"],
        ["--bad", "1"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    """A command line that makes no sense says how it should be; exit status 2."""
    done = subprocess.run(
        [sys.executable, "-m", "cog.worker", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "usage: python -m cog.worker" in done.stderr
