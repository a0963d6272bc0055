"""Examples behind HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.examples_more.project import COG, Example

pytestmark = [pytest.mark.slow, pytest.mark.network]


@contextmanager
def served(example: Example) -> Iterator[str]:
    """Serve an example on a free port; give its address when it is ready."""
    child = subprocess.Popen(
        [str(COG), "serve", "-p", "0"],
        cwd=example.folder,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stderr is not None
        address = next(line.split()[-1] for line in child.stderr if line.startswith("Serving at "))
        yield address
    finally:
        os.killpg(child.pid, signal.SIGINT)
        child.communicate(timeout=30)


def asked(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """POST an input and return the answer."""
    request = urllib.request.Request(
        url, json.dumps({"input": given}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def ready(address: str) -> None:
    """Return when setup() has ended."""
    request = urllib.request.Request(f"{address}/health-check")
    for _ in range(600):
        with urllib.request.urlopen(request, timeout=30) as answer:
            if json.load(answer)["status"] not in {"STARTING", "UNKNOWN"}:
                return
        time.sleep(0.2)
    raise AssertionError("setup() does not end")


def test_vectors_over_http(example: Callable[[str], Example]) -> None:
    """The served model is loaded once and answers many times, the same each time."""
    with served(example("embed")) as address:
        ready(address)
        first, second = (asked(f"{address}/predictions", {"texts": ["a cat", "a dog"]}) for _ in range(2))
        assert first["status"] == "succeeded"
        assert first["output"] == second["output"]
        assert len(first["output"]) == 2


def test_a_training_over_http(example: Callable[[str], Example]) -> None:
    """The training has its own address, takes a file as a data URL, and returns the weights as one."""
    classifier = example("train-classifier")
    data = base64.b64encode((classifier.folder / "sentences.csv").read_bytes()).decode()
    with served(classifier) as address:
        ready(address)
        answer = asked(f"{address}/trainings", {"data": f"data:text/csv;base64,{data}"})
        assert answer["status"] == "succeeded", answer["error"]
        weights = base64.b64decode(answer["output"]["weights"].split(",", 1)[1])
        assert weights.startswith(b"PK")
        assert answer["output"]["accuracy"] > 0.6
        assert "texts are right" in answer["logs"]


def test_many_clients_share_a_pass(example: Callable[[str], Example]) -> None:
    """Predictions that come together run together; each has its own vector, the same as alone."""
    texts = [f"{number} green bottles hanging on the {'wall ' * number}" for number in range(1, 25)]
    with served(example("batch")) as address:
        ready(address)
        alone = asked(f"{address}/predictions", {"text": texts[7]})
        with ThreadPoolExecutor(24) as threads:
            together = list(threads.map(lambda text: asked(f"{address}/predictions", {"text": text}), texts))
    assert alone["metrics"]["batch_size"] == 1
    assert {answer["status"] for answer in together} == {"succeeded"}
    assert 1 < max(answer["metrics"]["batch_size"] for answer in together) <= 16
    assert together[7]["output"] == pytest.approx(alone["output"], abs=1e-5)
    assert together[8]["output"] != pytest.approx(alone["output"], abs=1e-3)
