"""`cog lock` and `cog why`, as a person uses them; the index is a folder of wheels."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Protocol

import pytest

from tests.integration.environment.conftest import wheel

HERE = "{}.{}".format(*sys.version_info[:2])


class Command(Protocol):
    """The fixture of this folder's conftest."""

    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        ...


@pytest.fixture
def model(words: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a project that asks for alpha, which needs beta, with nothing but a folder to find them in."""
    index = tmp_path / "wheels"
    index.mkdir()
    wheel(index, "alpha", "1.0", "beta>=1")
    wheel(index, "beta", "1.0")
    wheel(index, "beta", "2.0")
    build = f'build: {{python_version: "{HERE}", python_packages: [alpha]}}'
    (words.folder / "cog.yaml").write_text(f"{build}\npredict: predict.py:Predictor\n")
    return Offline(words, str(index))


class Offline:
    """The command with a folder of wheels in the place of the index."""

    def __init__(self, command: Command, index: str) -> None:
        self.folder = command.folder
        self._command, self._index = command, index

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return self._command(
            *arguments, stdin=stdin, UV_FIND_LINKS=self._index, UV_OFFLINE="1", UV_NO_INDEX="1", **env
        )


def test_a_model_is_locked_asked_about_and_run(model: Command) -> None:
    """Written once, used by predict, checked, told when it is stale."""
    missing = model("lock", "--check")
    assert (missing.returncode, "there is no cog.lock" in missing.stderr) == (1, True)
    done = model("lock", "--no-base")
    assert done.returncode == 0, done.stderr
    assert "+ beta 2.0" in done.stderr
    assert "2 packages for linux/" in done.stderr
    text = (model.folder / "cog.lock").read_text()
    assert [one["name"] for one in tomllib.loads(text)["packages"]] == ["alpha", "beta"]
    assert "is up to date" in model("lock", "--no-base").stderr
    assert (model.folder / "cog.lock").read_text() == text
    assert model("lock", "--check").returncode == 0
    why = model("why", "Beta").stdout
    assert why.startswith("beta 2.0\n  because alpha 1.0 requires beta>=1\n")
    assert "2 packages of cog.lock" in model("predict", "-i", "count=1").stderr


def test_a_stale_lock_is_told_everywhere(model: Command) -> None:
    """--check ends with 1 and names the change; predict goes on without it."""
    model("lock", "--no-base")
    config = model.folder / "cog.yaml"
    config.write_text(config.read_text().replace("[alpha]", '[alpha, "beta<2"]'))
    checked = model("lock", "--check")
    assert checked.returncode == 1
    assert "beta<2 was added" in checked.stderr
    predicted = model("predict", "-i", "count=1")
    assert predicted.returncode == 0
    assert "Warning: cog.lock is stale: beta<2 was added" in predicted.stderr
    assert "2 packages of cog.lock" not in predicted.stderr
    assert "~ beta 2.0 -> 1.0" in model("lock", "--no-base").stderr


def test_questions_about_other_things_are_answered(model: Command) -> None:
    """Without a lock too; a name that is none is answered with the nearest."""
    assert model("why", "cuda").stdout == "No CUDA: no package of the model brings or needs it\n"
    assert model("why", "python").stdout.startswith("Python 3.")
    assert "It has alpha, beta." in model("why", "zzz").stderr
    wrong = model("why", "alfa")
    assert wrong.returncode == 2
    assert "Did you mean `alpha`?" in wrong.stderr
    assert not (model.folder / "cog.lock").exists()


def test_a_damaged_lock_stops_a_run_and_is_written_anew(model: Command) -> None:
    """A merge conflict is no reason to run something else."""
    (model.folder / "cog.lock").write_text("<<<<<<< HEAD\n")
    done = model("predict", "-i", "count=1")
    assert done.returncode == 1
    assert "cog.lock cannot be read" in done.stderr
    assert "`cog lock` writes cog.lock anew" in done.stderr
    assert model("lock", "--no-base").returncode == 0
    assert model("lock", "--check").returncode == 0


def test_the_doctor_knows_the_lock(model: Command) -> None:
    """With one that matches, versions need not be exact; a stale one is a warning, a damaged one an error."""
    assert "may be another version on another day" in model("doctor").stdout
    model("lock", "--no-base")
    well = model("doctor").stdout
    assert "✓ lock" in well
    assert "may be another version on another day" not in well
    config = model.folder / "cog.yaml"
    config.write_text(config.read_text().replace("[alpha]", '[alpha, "beta<2"]'))
    stale = model("doctor")
    assert "cog.lock: warning: is stale: beta<2 was added" in stale.stdout
    assert stale.returncode == 0
    (model.folder / "cog.lock").write_text("<<<<<<< HEAD\n")
    damaged = model("doctor")
    assert "cog.lock: error: cannot be read" in damaged.stdout
    assert damaged.returncode == 1


def test_which_cuda_is_known_without_an_index(model: Command) -> None:
    """By the table of this release, for a framework that is pinned; said to be that."""
    config = model.folder / "cog.yaml"
    config.write_text(config.read_text().replace("[alpha]", '["torch==2.3.1"]'))
    done = model("why", "cuda")
    assert done.returncode == 0
    assert done.stdout == (
        "CUDA 12.1, cuDNN 8.9\n  because torch 2.3.1 was built for it, by this release's own table\n"
    )
    assert "Warning: the packages cannot be resolved now" in done.stderr
    assert model("why", "torch").returncode == 1
