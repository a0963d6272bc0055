"""`cog train`: the training function, run once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

HERE = "{}.{}".format(*sys.version_info[:2])

TRAIN = """\
import os

from cog import BaseModel, Input, Path


class Made(BaseModel):
    weights: Path
    loss: float


def train(steps: int = Input(description="how long", ge=1, le=100)) -> Made:
    print("training", os.environ.get("COLOUR", "-"))
    if steps == 13:
        raise ValueError("unlucky")
    with open("made.bin", "w") as file:
        file.write("W" * steps)
    return Made(weights=Path("made.bin"), loss=1 / steps)


def count(steps: int = 2) -> dict:
    return {"steps": steps}
"""


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...


@pytest.fixture
def trainable(cog: Command) -> Command:
    """Return the command in a project that only trains."""
    (cog.folder / "cog.yaml").write_text(f'build: {{python_version: "{HERE}"}}\ntrain: train.py:train\n')
    (cog.folder / "train.py").write_text(TRAIN)
    return cog


def test_the_weights_are_written_and_the_rest_is_printed(trainable: Command) -> None:
    """`weights` of the answer becomes the file, the logs go to stderr."""
    done = trainable("train", "-i", "steps=4", "-e", "COLOUR=green")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"loss": 0.25})
    assert (trainable.folder / "weights").read_text() == "WWWW"
    assert "training green\n" in done.stderr
    assert "Written output to weights" in done.stderr


def test_weights_go_where_they_are_wanted(trainable: Command) -> None:
    """-o names a file, a folder that is there (under the file's own name), or stdout."""
    (trainable.folder / "kept").mkdir()
    assert trainable("train", "-i", "steps=1", "-o", "kept").returncode == 0
    assert (trainable.folder / "kept" / "made.bin").read_text() == "W"
    assert trainable("train", "-i", "steps=2", "-o", "-").stdout.startswith("WW")
    assert not (trainable.folder / "weights").exists()


def test_json_in_gives_the_whole_answer(trainable: Command) -> None:
    """As with predict, --json prints everything, files as data URLs."""
    answer = json.loads(trainable("train", "--json", '{"steps": 2}').stdout)
    assert answer["status"] == "succeeded"
    assert answer["output"] == {"weights": "data:application/octet-stream;base64,V1c=", "loss": 0.5}


def test_a_training_without_a_file_prints_what_it_returns(trainable: Command) -> None:
    """There is nothing to write, so nothing is written."""
    config = trainable.folder / "cog.yaml"
    config.write_text(config.read_text().replace(":train\n", ":count\n"))
    done = trainable("train")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"steps": 2})
    assert not (trainable.folder / "weights").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["-i", "steps=0"], 2, "steps: must be at least 1, got 0"),
        (["-i", "setps=3"], 2, "Did you mean `steps`?"),
        ([], 2, "missing required input `steps` (how long)"),
        (["-i", "steps=13"], 1, "the training failed: unlucky"),
        (["steps=3"], 2, "given without -i"),
        (["x"], 2, "A training runs from its project"),
        (["-i", "steps=1", "--engine", "docker"], 1, ""),
    ],
)
def test_what_is_wrong_is_said(trainable: Command, arguments: list[str], status: int, text: str) -> None:
    """Mistakes end with 2 before anything slow begins, failures with 1."""
    done = trainable("train", *arguments, DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == status
    assert text in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.partition("Error:")[2]
    if status == 2 and "-i" in arguments:
        assert "For example: cog train" in done.stderr or "must be" in done.stderr


def test_a_project_without_training_says_so(words: Command) -> None:
    """The message names the key that is missing."""
    done = words("train")
    assert done.returncode == 1
    assert "has no `train`" in done.stderr
