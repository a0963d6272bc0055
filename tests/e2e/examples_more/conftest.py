"""The examples; a test is skipped, with the reason, where a part is out of reach."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.examples_more.project import COG, EXAMPLES, Example


@pytest.fixture
def example(tmp_path: Path, index: None) -> Callable[[str], Example]:
    """Return a finder of examples, which fetches their weights."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()

    def find(name: str) -> Example:
        found = Example(EXAMPLES / name, outputs)
        if (found.folder / "fetch_weights.py").exists():
            done = found.run(sys.executable, "fetch_weights.py")
            if done.returncode:
                pytest.skip(f"the weights of {name} cannot be fetched here: {done.stderr.strip()[-300:]}")
        return found

    return find


@pytest.fixture(scope="session")
def index() -> None:
    """Skip where no package index answers; the environments need one even when the weights are there."""
    command = [str(COG.parent / "uv"), "pip", "compile", "--quiet", "--no-deps", "--no-cache", "-"]
    done = subprocess.run(
        command, input="iniconfig\n", capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        pytest.skip(f"no package index can be reached from here: {done.stderr.strip()[-300:]}")
