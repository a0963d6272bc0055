"""`cog serve` and `cog schema`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Protocol

import pytest


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start."""
        ...


@pytest.fixture
def served(words: Command) -> tuple[subprocess.Popen[str], str]:
    """Return a running `cog serve` and its address."""
    child = words.start("serve", "-p", "0")
    assert child.stderr is not None
    line = ""
    while "Serving at " not in line:
        line = child.stderr.readline()
        assert line, "cog serve ended early"
    return child, line.split()[-1]


def ask(address: str, path: str, body: Any = None) -> Any:
    """Return the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_served_model_answers_until_ctrl_c(served: tuple[subprocess.Popen[str], str]) -> None:
    """The HTTP API of the image, on localhost; Ctrl-C ends it in peace."""
    child, address = served
    assert address.startswith("http://127.0.0.1:")
    while ask(address, "/health-check")["status"] != "READY":
        pass
    assert "count" in ask(address, "/openapi.json")["components"]["schemas"]["Input"]["properties"]
    answer = ask(address, "/predictions", {"input": {"count": 2}})
    assert (answer["status"], answer["output"]) == ("succeeded", ["word0 ", "word1 "])
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "Stopped." in said


def test_a_port_in_use_is_told(words: Command) -> None:
    """The address and the way out are in the message."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = words("serve", "-p", str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schema_is_printed_without_running_the_model(words: Command) -> None:
    """No environment is needed to read the inputs."""
    done = words("schema", COGYARD_CACHE_DIR="/nowhere")
    assert done.returncode == 0
    properties = json.loads(done.stdout)["components"]["schemas"]["Input"]["properties"]
    assert list(properties) == ["count", "pause", "fail"]
