"""Outputs of the real PyTorch, where a wheel of it lies on this machine: it is too large to fetch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.model_server.live import events, serving

pytestmark = [pytest.mark.network, pytest.mark.slow]

SDK = Path(__file__).parents[3] / "packages" / "sdk" / "src"
MODEL = """
import torch
from typing import Any, Iterator
import cog

class Predictor(cog.BasePredictor):
    def setup(self):
        self.weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    def predict(self, x: list[float]) -> Any:
        return {
            "graph": self.weights @ torch.tensor(x),
            "whole": torch.arange(3),
            "scalar": torch.tensor(1.5),
            "flags": torch.tensor([True, False]),
            "half": torch.tensor([0.5, 2.0], dtype=torch.float16),
            "brain": torch.tensor([0.5], dtype=torch.bfloat16),
            "not_finite": torch.tensor([float("nan"), float("-inf")]),
            "empty": torch.zeros(0, 2),
            "inside": [{"deep": torch.ones(1)}],
        }

class Stream:
    @cog.streaming
    def predict(self, n: int) -> Iterator[float]:
        for one in torch.arange(n, dtype=torch.float64) / 2:
            yield one
"""


@pytest.fixture(scope="module")
def torch_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a Python with PyTorch and nothing of ours."""
    folder = tmp_path_factory.mktemp("torch")
    venv = folder / "venv"
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this Python makes no environment with pip: {made.stderr.strip()[-200:]}")
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile"]
    for words in (["--no-index", "--no-deps", "torch==2.13.0"],
                  ["typing_extensions", "filelock", "sympy", "networkx", "jinja2", "fsspec", "numpy"]):  # fmt: skip
        done = subprocess.run([*install, *words], capture_output=True, text=True, timeout=250, check=False)
        if done.returncode:
            shutil.rmtree(folder)
            pytest.skip(f"no PyTorch on this machine's disk: {done.stderr.strip()[-200:]}")
    yield venv / "bin" / "python"
    shutil.rmtree(folder)


def test_tensors_are_outputs(torch_python: Path, tmp_path: Path) -> None:
    """Of any type and shape, on their own, in other values and streamed, with or without a gradient."""
    (tmp_path / "predict.py").write_text(MODEL)
    chosen, env = ("--python", str(torch_python)), {"PYTHONPATH": str(SDK)}
    with serving(tmp_path, "predict.py:Predictor", *chosen, env=env) as server:
        found = server.result({"x": [1.0, 0.5]})
        assert found["error"] is None
        assert found["output"] == {
            "graph": [2.0, 5.0],
            "whole": [0, 1, 2],
            "scalar": 1.5,
            "flags": [True, False],
            "half": [0.5, 2.0],
            "brain": [0.5],
            "not_finite": [None, None],
            "empty": [],
            "inside": [{"deep": [1.0]}],
        }
    with (
        serving(tmp_path, "predict.py:Stream", *chosen, env=env) as server,
        server.client.stream(
            "POST", "/predictions", json={"input": {"n": 3}}, headers={"accept": "text/event-stream"}
        ) as response,
    ):
        assert [data["chunk"] for _, name, data in events(response) if name == "output"] == [0.0, 0.5, 1.0]
