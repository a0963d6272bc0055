"""What is compared: how each server is installed, given a model, started and asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import load  # type: ignore[import-not-found]  # run as a script: its folder is on the path
import models  # type: ignore[import-not-found]  # as above
import running  # type: ignore[import-not-found]  # as above

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".cache" / "bench"
STREAMS = ("stream", "async_stream", "paced", "async_paced")
ALL = ("echo", *STREAMS, "slots", "files", "logs", "cancel")
SLOTS = 32

Input = dict[str, object]


def _cog_request(kind: str, given: Input) -> bytes:
    accept = "text/event-stream" if kind in STREAMS else "*/*"
    request: bytes = load.post("/predictions", {"input": given}, accept=accept)
    return request


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One server. `{port}`, `{other}` and `{third}` stand for free ports in its command and environment."""

    name: str
    requirements: tuple[str, ...] = ()
    """What to install into an environment of its own; nothing means ours."""
    files: Callable[[str], Mapping[str, str]]
    """The project for a kind of prediction: text by path."""
    command: tuple[str, ...]
    """Arguments for its Python."""
    ready: tuple[str, str] = ("/health-check", '"READY"')
    kinds: tuple[str, ...] = ALL
    shared: bool = False
    """Whether one process serves all kinds."""
    request: Callable[[str, Input], bytes] = _cog_request
    marker: bytes = b"event: output"
    """What stands once in a stream for each token."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The Python that runs it."""
        return self._venv / "bin" / "python" if self.requirements else Path(sys.executable)

    @property
    def _venv(self) -> Path:
        return VENVS / self.name.lower().replace(" ", "-")

    def install(self) -> None:
        """Make its environment, once, and start it, so that what it imports is compiled as in an image."""
        mark = self._venv / "ready"
        wanted = "\n".join((sys.executable, *self.requirements))
        if mark.exists() and mark.read_text() == wanted:
            return
        if self.requirements:
            import uv

            tool, python = uv.find_uv_bin(), str(self.python)
            print(f"installing {', '.join(self.requirements)} below .cache", file=sys.stderr)
            command = [tool, "venv", "-q", "--clear", "--python", sys.executable, str(self._venv)]
            subprocess.run(command, check=True)
            subprocess.run([tool, "pip", "install", "-q", "--python", python, *self.requirements], check=True)
        with tempfile.TemporaryDirectory() as folder:
            self.start("echo", Path(folder)).stop()
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(wanted)

    def start(self, kind: str, project: Path) -> running.Running:
        """Write the project and start the server. Raises RuntimeError when it does not become ready."""
        for name, text in self.files(kind).items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        ports = {name: running.free_port() for name in ("port", "other", "third")}
        env = {
            # A worker may be the first `python` of the PATH; and our own `cog` must hide nobody's.
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(VENVS / "bytecode"),
            "PORT": str(ports["port"]),
            "BENCH_KIND": kind,
            **{name: value.format(**ports) for name, value in self.env.items()},
        }
        if kind == "slots":
            env["COG_MAX_CONCURRENCY"] = str(SLOTS)
        return running.start(
            self.name,
            [str(self.python), *(word.format(**ports) for word in self.command)],
            project=project,
            port=ports["port"],
            ready=self.ready,
            env=env,
        )


OURS = Peer(
    name="cogyard",
    files=models.built,
    command=(
        *("-m", "cog_server", "--host", "127.0.0.1", "--port", "{port}"),
        *("--python", sys.executable, "--project", ".", "--ref", "predict.py:Predictor"),
    ),
)
COGLET = Peer(
    name="coglet 0.23.1",
    requirements=("cog==0.23.1",),
    files=models.built,
    command=("-m", "cog.server.http", "--host", "127.0.0.1"),
    env={"COG_PREDICT_TYPE_STUB": "predict.py:Predictor", "COG_LOG_LEVEL": "warn", "RUST_LOG": "warn"},
)
COG = Peer(
    name="cog 0.16.12",
    requirements=("cog==0.16.12",),
    files=models.older,
    command=("-m", "cog.server.http", "--host", "127.0.0.1"),
    kinds=("echo", "slots", "files", "logs", "cancel"),
    env={"COG_LOG_LEVEL": "warning"},
)
