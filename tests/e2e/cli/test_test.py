"""`cog test`: the project's examples, on one running model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

HERE = "{}.{}".format(*sys.version_info[:2])
SOURCE = """\
import os
import time

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def setup(self):
        print("setting up once")
        self.count = 0

    def predict(self, text: str = "world", file: Path = Input(default=None), pause: float = 0.0) -> str:
        print("words of", text)
        time.sleep(pause)
        if text == "die":
            os.kill(os.getpid(), 9)
        if text == "fail":
            raise ValueError("boom")
        return "hello " + (file.read_text() if file else text)
"""
GOOD = """\
examples:
  - name: greets
    input: {text: world}
    output: hello world
  - name: reads
    input: {file: "@words.txt"}
    contains: some words
  - name: complains
    input: {text: fail}
    error: boom
  - name: later
    skip: not now
"""


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...


@pytest.fixture
def tested(cog: Command) -> Command:
    """Return the command in a project with examples."""
    (cog.folder / "cog.yaml").write_text(
        f'build: {{python_version: "{HERE}"}}\npredict: predict.py:Predictor\n'
    )
    (cog.folder / "predict.py").write_text(SOURCE)
    (cog.folder / "words.txt").write_text("some words")
    (cog.folder / "cog-test.yaml").write_text(GOOD)
    return cog


def test_examples_that_hold_end_with_0(tested: Command) -> None:
    """One line each on stdout, one setup for all."""
    done = tested("test")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].startswith("✓ greets (")
    assert lines[3] == "- later: not now"
    assert lines[-1].startswith("3 passed, 1 skipped in ")
    assert done.stderr.count("setting up once") == 1


def test_an_example_that_does_not_hold_says_why_and_ends_with_1(tested: Command) -> None:
    """Both values, and what the model printed; the next one runs, also after the worker died."""
    (tested.folder / "cog-test.yaml").write_text(
        "examples:\n"
        "  - {name: wrong, output: hello moon}\n"
        "  - {name: dies, input: {text: die}}\n"
        "  - {name: misspelt, input: {txet: x}}\n"
        "  - {name: slow, input: {pause: 60}, timeout: 0.2}\n"
        "  - {name: after, output: hello world}\n"
    )
    done = tested("test")
    assert done.returncode == 1
    assert '    output: expected "hello moon", got "hello world"\n    | words of world\n' in done.stdout
    assert "SIGKILL" in done.stdout
    assert "Did you mean `text`?" in done.stdout
    assert "it took longer than 0.2 s" in done.stdout
    assert "✓ after (" in done.stdout
    assert "1 passed, 4 failed in" in done.stdout
    first = tested("test", "-x")
    assert first.stdout.count("✗") == 1
    assert "1 failed, 4 not run" in first.stdout


def test_some_can_be_chosen_and_machines_can_read(tested: Command) -> None:
    """Names and patterns; JSON on stdout and nothing else."""
    done = tested("test", "gre*", "later", "--json")
    found = json.loads(done.stdout)
    assert [(one["name"], one["outcome"]) for one in found] == [("greets", "passed"), ("later", "skipped")]
    assert tested("test", "--list").stdout.splitlines() == ["greets", "reads", "complains", "later"]


def test_what_is_wrong_with_the_file_is_said(tested: Command) -> None:
    """Before anything slow: a missing file, a mistake, a name that none has."""
    assert "Did you mean `greets`?" in tested("test", "greet").stderr
    (tested.folder / "cog-test.yaml").write_text("examples:\n  - inptu: {}\n")
    wrong = tested("test")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (1, False)
    assert "cog-test.yaml:2:5: unknown key `inptu`" in wrong.stderr
    (tested.folder / "cog-test.yaml").unlink()
    missing = tested("test")
    assert missing.returncode == 1
    assert "there is none in" in missing.stderr
    assert "examples:" in missing.stderr
