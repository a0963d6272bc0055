"""Schemathesis, which knows nothing of us but the document, against a model that serves it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.faults.test_api_document import MODEL

pytestmark = pytest.mark.slow

ST = Path(sys.executable).parent / "st"
#: Left out: the document allows more than is taken, as Cog's does (inputs that the model does not have are refused with
#: a suggestion, and the id in a body has to be the one in the URL), and says of some things less than is meant.
LENIENT = "positive_data_acceptance,negative_data_rejection"


@contextmanager
def listening(project: Path, *arguments: str) -> Iterator[str]:
    """Serve a project on a port of this machine; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cog_server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--python", sys.executable, "--project", str(project), *arguments]
    env = {**os.environ, "TMPDIR": str(project)}
    with (project / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 20
        while b'"READY"' not in _health(address):
            assert time.monotonic() < end, (project / "log").read_text()
            time.sleep(0.05)
        yield address
        assert process.poll() is None, "the server has died"
        assert b'"READY"' in _health(address)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _health(address: str) -> bytes:
    try:
        with urllib.request.urlopen(f"{address}/health-check", timeout=5) as answer:
            found: bytes = answer.read()
            return found
    except OSError:
        return b""


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_what_the_document_says_holds(tmp_path: Path, stream: bool) -> None:
    """Statuses, media types, shapes of answers, methods that are not there; predictions and trainings; no 500, ever."""
    pytest.importorskip("schemathesis")
    source = MODEL.replace("BaseModel, Input, Secret", "BaseModel, Input")
    # What is write-only in the document may not be in an answer, where ours has its stars.
    source = source.replace("        key: Optional[Secret] = None,\n", "")
    source += "\ndef train(steps: int = Input(ge=1, le=5)) -> str:\n    return 'x' * steps\n"
    source += (
        "\nclass Stream:\n    def predict(self, n: int = Input(default=3, ge=0)) -> cog.ConcatenateIterator[str]:\n"
        "        yield from map(str, range(n % 9))\n"
    )
    (tmp_path / "predict.py").write_text(source)
    ref = "predict.py:Stream" if stream else "predict.py:Predictor"
    with listening(tmp_path, "--ref", ref, "--train-ref", "predict.py:train") as address:
        command = [ST, "run", f"{address}/openapi.json", "--checks", "all", "--exclude-checks", LENIENT]
        command += ["--exclude-path", "/shutdown", "--max-examples", "15", "--generation-deterministic"]
        run = subprocess.run(
            list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
        )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "generated" in run.stdout
