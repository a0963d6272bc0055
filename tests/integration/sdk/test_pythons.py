"""Every Python that the SDK promises and this machine has: its unit tests there, and models that run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cogyard.errors import CogyardError

from tests.integration.model_server.live import events, serving
from tests.integration.sdk.pythons import PROMISED, assembled, interpreter

ROOT = Path(__file__).parents[3]
SDK = ROOT / "packages" / "sdk" / "src"
MODELS = """
import asyncio, sys, time
from datetime import datetime
from enum import Enum
from typing import Iterator, Literal, Optional
import cog
from cog import BaseModel, Input, Path

class Mode(str, Enum):
    A = "a"
    B = "b"

class Out(BaseModel):
    python: str
    file: Path
    mode: Mode

class Sync(cog.BasePredictor):
    def setup(self):
        self.ready = True
    def predict(self, mode: Mode, file: Path, when: datetime = Input(default="2026-11-26"),
                word: Literal["x", "y"] = "x", more: Optional[list[int]] = None) -> Out:
        path = Path(cog.current_scope().folder) / "out.txt"
        path.write_text(file.read_text() + word + str(when.year))
        return Out(python="{}.{}".format(*sys.version_info[:2]), file=path, mode=mode)

class Stream:
    @cog.streaming
    def run(self, n: int = Input(default=3, ge=1)) -> cog.ConcatenateIterator[str]:
        for number in range(n):
            yield str(number)

class Async:
    @cog.concurrent(max=4)
    async def predict(self, seconds: float = 0.0) -> str:
        await asyncio.sleep(seconds)
        print("slept")
        return "done"

class Batched:
    @cog.batched(max_size=4)
    def predict(self, n: list[int]) -> list[int]:
        return [one * 2 for one in n]

class Sleeps:
    def predict(self) -> str:
        time.sleep(60)
        return ""
"""


@pytest.fixture(params=PROMISED)
def python(request: pytest.FixtureRequest) -> Path:
    """Return one of the promised Pythons; skip where neither this machine nor Debian has it."""
    try:
        found = interpreter(request.param) or assembled(request.param)
    except CogyardError as error:
        pytest.skip(f"there is no Python {request.param} on this machine, and {error.message}")
    if found is None:
        pytest.skip(f"there is no Python {request.param} on this machine, and Debian has none")
    return found


def test_models_run_on_every_python(python: Path, tmp_path: Path) -> None:
    """Sync, streamed, async, batched, canceled: with a bare interpreter and the SDK, nothing else."""
    (tmp_path / "predict.py").write_text(MODELS)
    env = {"PYTHONPATH": str(SDK)}
    chosen = ("--python", str(python))
    with serving(tmp_path, "predict.py:Sync", *chosen, env=env) as server:
        found = server.result({"mode": "b", "file": "data:text/plain;base64,aGk=", "word": "y"})
        assert found["error"] is None, found
        assert found["output"]["mode"] == "b"
        assert found["output"]["file"] == "data:text/plain;base64,aGl5MjAyNg=="
        assert server.health()["version"]["python"].startswith(found["output"]["python"] + ".")
        assert server.post({"mode": "c", "file": "data:,x"}).status_code == 422
    with serving(tmp_path, "predict.py:Stream", *chosen, env=env) as server:
        headers = {"accept": "text/event-stream"}
        with server.client.stream("POST", "/predictions", json={"input": {}}, headers=headers) as response:
            chunks = [data["chunk"] for _, name, data in events(response) if name == "output"]
        assert chunks == ["0", "1", "2"]
    with serving(tmp_path, "predict.py:Async", *chosen, env=env) as server:
        found = server.result({"seconds": 0.01})
        assert (found["output"], found["logs"]) == ("done", "slept\n")
    with serving(tmp_path, "predict.py:Batched", *chosen, env=env) as server:
        assert server.result({"n": 4})["output"] == 8
    with serving(tmp_path, "predict.py:Sleeps", *chosen, env=env) as server:
        server.post({}, headers={"prefer": "respond-async"}, id="s")
        server.until(
            lambda: server.client.get("/predictions/s").json()["status"], lambda s: s == "processing"
        )
        server.client.post("/predictions/s/cancel")
        server.until(
            lambda: server.client.get("/predictions/s").json()["status"], lambda s: s == "canceled", 2
        )


@pytest.mark.network
@pytest.mark.slow
def test_the_unit_tests_pass_on_every_python(python: Path, tmp_path: Path) -> None:
    """The tests of the SDK's and the model server's own rules, and of the client's from 3.11 on, run by that Python."""
    if python == interpreter("{}.{}".format(*sys.version_info[:2])):
        pytest.skip("they run on this Python anyway")
    uv = str(Path(sys.executable).parent / "uv")
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "-p", python, venv], check=True, capture_output=True)
    here = str(venv / "bin" / "python")
    wanted = [
        "pytest>=9",
        "hypothesis",
        "pytest-socket",
        "pytest-timeout",
        "anyio",
        "inline-snapshot",
        "tzdata",
    ]
    names, without = ["sdk", "model_server", "client"], []
    if python == interpreter("3.10"):  # the client begins with 3.11, and one test of streams reads with it
        names.remove("client")
        without = [f"--ignore={ROOT / 'tests' / 'unit' / 'model_server' / 'test_fuzz_events.py'}"]
    packages = [str(ROOT / "packages" / name.replace("_", "-")) for name in names]
    install = [uv, "pip", "install", "-q", "-p", here, *wanted, *packages]
    done = subprocess.run(install, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"no package index gives what the tests need: {done.stderr[-300:]}")
    command = [
        here,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--confcutdir",
        str(ROOT / "tests" / "unit"),
    ]
    # Examples are searched for by the Python that runs all tests; here are a few of each.
    command += ["-o", "addopts=--import-mode=importlib", "--hypothesis-profile=other", *without]
    command += [str(ROOT / "tests" / "unit" / name) for name in names]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COGYARD_EXAMPLES": "0.1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout
