"""`cog serve` and `cog schema`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
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


def until(child: subprocess.Popen[str], words: str) -> str:
    """Read what a command says up to a line with these words, and return that line."""
    assert child.stderr is not None
    line = ""
    while words not in line:
        line = child.stderr.readline()
        assert line, f"ended before it said {words!r}"
    return line.strip()


def ready(address: str, *, after: str = "") -> str:
    """Wait until a model that was started later than `after` takes predictions; return when it was started."""
    while True:
        health = ask(address, "/health-check")
        started = str((health["setup"] or {}).get("started_at", ""))
        if health["status"] == "READY" and started > after:
            return started
        time.sleep(0.02)


def test_a_changed_file_restarts_the_model_and_not_the_server(words: Command) -> None:
    """The address stays; a source that does not load is told, and mended by the next change."""
    child = words.start("serve", "-p", "0", "--reload")
    address = until(child, "Serving at ").split()[-1]
    first = ready(address)
    source = words.folder / "predict.py"
    good = source.read_text()
    source.write_text(good.replace("word{", "term{"))
    until(child, "predict.py changed, restarting the model")
    second = ready(address, after=first)
    assert ask(address, "/predictions", {"input": {"count": 1}})["output"] == ["term0 "]
    source.write_text(good + "(\n")
    until(child, "SyntaxError")
    while ask(address, "/health-check")["status"] != "SETUP_FAILED":
        time.sleep(0.02)
    source.write_text(good.replace("count: int", "number: int").replace("range(count)", "range(number)"))
    until(child, "restarting the model")
    ready(address, after=second)
    assert "number" in ask(address, "/openapi.json")["components"]["schemas"]["Input"]["properties"]
    assert ask(address, "/predictions", {"input": {"number": 1}})["output"] == ["word0 "]
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(20) == 0


def test_the_playground_stands_beside_the_served_model(words: Command) -> None:
    """A page of the served model; its predictions run there and come as events."""
    child = words.start("serve", "-p", "0", "--playground", "--playground-port", "0")
    address = until(child, "Serving at ").split()[-1]
    page = until(child, "Playground at ").split()[-1]
    ready(address)
    with urllib.request.urlopen(page, timeout=30) as answer:
        assert 'data-name="count"' in answer.read().decode()
    body = json.dumps({"input": {"count": 2}}).encode()
    request = urllib.request.Request(f"{page}/predictions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    assert '{"chunk": "word0 ", "index": 0}' in text
    assert '"status": "succeeded"' in text


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["serve", "some/image", "--reload", "--engine", "none"], 2, "--reload watches a project"),
        (["serve", "some/image", "--engine", "none"], 1, "no image some/image"),
        (["serve", "--engine", "docker", "--port", "1"], 1, "docker"),
        (["playground", "--target", "localhost:1"], 2, "not an address"),
        (["playground", "x", "--target", "http://localhost:1"], 2, "cannot be used together"),
        (["playground", "--host", "999.1.1.1"], 1, "cannot be listened on"),
    ],
)
def test_what_cannot_be_served_is_told(words: Command, arguments: list[str], status: int, text: str) -> None:
    """In words, with the status of misuse or of failure."""
    done = words(*arguments, DOCKER_HOST="unix:///nowhere.sock")
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert text in done.stderr


@pytest.mark.chromium
@pytest.mark.slow
def test_a_person_tries_the_model_in_a_browser(words: Command) -> None:
    """The form runs the model, text grows, errors are shown; the page asks nobody else."""
    chromium = shutil.which("chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    child = words.start("playground", "--no-open")
    page_address = until(child, "Playground at ").split()[-1]
    asked: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(page_address)
        page.fill("[data-name=count] [data-control]", "3")
        page.click("[data-run]")
        page.wait_for_selector("text=word0 word1 word2")
        page.wait_for_function("document.querySelector('[data-phase]').textContent.startsWith('succeeded')")
        page.fill("[data-name=count] [data-control]", "0")
        page.click("[data-run]")
        page.wait_for_selector("text=less than the minimum")
        page.fill("[data-name=count] [data-control]", "2")
        page.check("[data-name=fail] [data-control]")
        page.click("[data-run]")
        page.wait_for_selector("[data-error]:has-text('boom')")
        page.wait_for_selector("[data-logs]:has-text('about to fail')")  # seen: a failure opens the logs
        page.fill("[data-name=pause] [data-control]", "60")
        page.click("[data-run]")
        page.click("[data-stop]")
        page.wait_for_function("document.querySelector('[data-phase]').textContent === 'canceled'")
        browser.close()
    assert asked
    assert all(url.startswith(page_address) for url in asked)
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(20) == 0
