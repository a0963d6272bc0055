"""The real command, in a folder of its own, with a cache shared by the tests of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

COG = Path(sys.executable).parent / "cog"
HERE = "{}.{}".format(*sys.version_info[:2])
Done = subprocess.CompletedProcess[str]

PREDICT = """\
import os
import sys
import time

from cog import BasePredictor, ConcatenateIterator, Input, Path


class Predictor(BasePredictor):
    def setup(self):
        print("setting up")
        time.sleep(float(os.environ.get("SETUP_SECONDS", "0")))
        if os.environ.get("SETUP_ERROR"):
            raise RuntimeError(os.environ["SETUP_ERROR"])

    def predict(
        self,
        count: int = Input(description="how many words", default=3, ge=1, le=1000),
        pause: float = Input(default=0.0),
        fail: bool = False,
    ) -> ConcatenateIterator[str]:
        for number in range(count):
            time.sleep(pause)
            yield f"word{number} "
        if fail:
            print("about to fail", file=sys.stderr)
            raise ValueError("boom")
"""


@dataclass(frozen=True)
class Command:
    """Run `cog` in a folder."""

    folder: Path
    env: dict[str, str]
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> Done:
        """Run to the end and return what came out."""
        return subprocess.run(
            [str(COG), *arguments],
            cwd=self.folder,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start in a process group of its own, as a terminal does."""
        child = subprocess.Popen(
            [str(COG), *arguments],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.children.append(child)
        return child

    def end(self) -> None:
        """End what a failing test has left."""
        for child in self.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for stream in (child.stdout, child.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache of this run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cog(tmp_path: Path, cache: Path) -> Iterator[Command]:
    """Return the command in an empty folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("COG")}
    env |= {"COGYARD_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never", "TMPDIR": str(tmp_path)}
    command = Command(folder, env)
    yield command
    command.end()


@pytest.fixture
def words(cog: Command) -> Command:
    """Return the command in a project that streams words."""
    (cog.folder / "cog.yaml").write_text(
        f'build: {{python_version: "{HERE}"}}\npredict: predict.py:Predictor\n'
    )
    (cog.folder / "predict.py").write_text(PREDICT)
    return cog


@pytest.fixture
def write(cog: Command) -> Callable[[str], Command]:
    """Return a maker of projects with a predictor of one's own."""

    def make(source: str) -> Command:
        (cog.folder / "cog.yaml").write_text(
            f'build: {{python_version: "{HERE}"}}\npredict: predict.py:Predictor\n'
        )
        (cog.folder / "predict.py").write_text(source)
        return cog

    return make
