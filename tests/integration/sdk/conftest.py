"""A server's end of the worker protocol: start a worker over a socket pair and speak frames with it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cog.worker import frames

PATIENCE = 20.0


class Worker:
    """One running worker. Reads with a limit in time, so that a broken one fails the test and does not hang it."""

    def __init__(
        self, folder: Path, ref: str, more: tuple[str, ...], env: Mapping[str, str], python: str
    ) -> None:
        self.folder = folder
        self.out = folder / "prediction"
        self.out.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.socket.settimeout(PATIENCE)
        self.process = subprocess.Popen(
            [python, "-m", "cog.worker", "--fd", str(theirs.fileno()), "--ref", ref, *more],
            cwd=folder,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **env},
        )
        theirs.close()
        self._decoder = frames.Decoder()
        self._inbox: list[frames.Frame] = []
        self._written = {"stdout": b"", "stderr": b""}

    def receive(self) -> tuple[int, int, Any]:
        """Return the next frame with its payload taken apart."""
        while not self._inbox:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError(self.stderr())
            self._inbox += self._decoder.feed(data)
        kind, tag, payload = self._inbox.pop(0)
        return kind, tag, take_apart(kind, payload)

    def ready(self) -> dict[str, Any]:
        """Wait for READY and return it."""
        kind, _, payload = self.receive()
        assert kind == frames.READY, (payload, self.stderr())
        return dict(payload)

    def send(self, kind: int, tag: int = 0, payload: Any = None) -> None:
        """Send a frame."""
        data = b"" if payload is None else json.dumps(payload).encode()
        self.socket.sendall(frames.encode(kind, tag, data))

    def predict(self, tag: int, context: Mapping[str, str] | None = None, **values: Any) -> None:
        """Ask for a prediction."""
        request = {"id": f"p{tag}", "input": values, "context": context or {}, "dir": str(self.out)}
        self.send(frames.PREDICT, tag, request)

    def run(self, tag: int, **values: Any) -> tuple[int, Any]:
        """Ask for a prediction; return its terminal frame's kind and payload. Nothing else may come."""
        self.predict(tag, **values)
        kind, answered, payload = self.receive()
        assert answered == tag
        return kind, payload

    def output(self, tag: int, **values: Any) -> Any:
        """Run a prediction that succeeds; return its output."""
        kind, payload = self.run(tag, **values)
        assert kind == frames.SUCCEEDED, (payload, self.stderr())
        return payload["output"]

    def until_terminal(self, tag: int) -> list[tuple[int, Any]]:
        """Return the frames of a prediction up to its terminal one."""
        found: list[tuple[int, Any]] = []
        while True:
            kind, answered, payload = self.receive()
            assert answered == tag
            found.append((kind, payload))
            if kind in {frames.SUCCEEDED, frames.FAILED, frames.CANCELED}:
                return found

    def cancel(self, tag: int, *, sync: bool = True) -> None:
        """Cancel a prediction as the server does."""
        self.send(frames.CANCEL, tag)
        if sync:
            self.process.send_signal(signal.SIGUSR1)

    def stdout(self) -> str:
        """Return what has been written to stdout so far, without waiting."""
        return self._read("stdout")

    def stderr(self) -> str:
        """Return what has been written to stderr so far, without waiting."""
        return self._read("stderr")

    def _read(self, name: str) -> str:
        pipe = getattr(self.process, name)
        while select.select([pipe], [], [], 0)[0]:
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                break
            self._written[name] += data
        return self._written[name].decode("utf-8", "replace")

    def wait_for(self, name: str, *, seconds: float = PATIENCE) -> str:
        """Return the content of a file the author's code writes into the project, once it is there."""
        end = time.monotonic() + seconds
        file = self.folder / name
        while not (file.exists() and file.read_text()):
            assert time.monotonic() < end, f"{name} was not written; {self.stderr()}"
            time.sleep(0.005)
        return file.read_text()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Return the exit status."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """End the worker and what it started."""
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def take_apart(kind: int, payload: bytes) -> Any:
    """Return a payload as the fixtures of spec/worker show it."""
    if kind == frames.OUTPUT:
        return {"flags": payload[0], "output": json.loads(payload[1:])}
    if kind == frames.SUCCEEDED:
        seconds, flags = struct.unpack_from(">dB", payload)
        output = json.loads(payload[9:]) if len(payload) > 9 else None
        return {"predict_time": seconds, "flags": flags, "output": output, "raw": payload[9:]}
    if kind == frames.LOG:
        return {"source": payload[0], "text": payload[1:].decode()}
    return json.loads(payload)


Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a worker over a predict.py with the given source."""
    running: list[Worker] = []

    def begin(
        source: str,
        *more: str,
        ref: str = "predict.py:Predictor",
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> Worker:
        folder = tmp_path / f"project{len(running)}"
        folder.mkdir()
        for name, text in {"predict.py": source, **(files or {})}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        worker = Worker(folder, ref, more, env or {}, python)
        running.append(worker)
        return worker

    yield begin
    for worker in running:
        worker.end()
