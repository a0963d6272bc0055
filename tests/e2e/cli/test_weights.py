"""Weights as people work with them: declared, imported, run with, pushed, fetched elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import LivePlatform, live_platform, run

__all__ = ["live_platform"]

COG = Path(sys.executable).parent / "cog"
PYTHON = "{}.{}".format(*sys.version_info[:2])
CONFIG = """\
build:
  python_version: "{python}"
predict: predict.py:Predictor
weights:
  - name: words
    target: {target}
    source: {{uri: {uri}, exclude: ["*.md"]}}
"""
PREDICT = """\
from pathlib import Path

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self):
        self.words = Path("{place}/lists/words.txt").read_text().split()

    def predict(self, number: int = 0) -> str:
        return self.words[number]
"""


@dataclass
class Person:
    """Somebody with a project, and weights that lie elsewhere."""

    folder: Path
    env: dict[str, str]

    def write(self, *, uri: str, target: str = "/src/net", place: str = "net") -> None:
        """Write the project."""
        (self.folder / "cog.yaml").write_text(CONFIG.format(python=PYTHON, uri=uri, target=target))
        (self.folder / "predict.py").write_text(PREDICT.format(place=place))

    def cog(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run cog to its end."""
        return subprocess.run(
            [COG, *arguments], cwd=self.folder, env={**self.env, **env}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=240, check=False,
        )  # fmt: skip

    def done(self, *arguments: str, **env: str) -> str:
        """Run cog, which must go well; return what it printed."""
        ended = self.cog(*arguments, **env)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def failed(self, *arguments: str, status: int = 1, **env: str) -> str:
        """Run cog, which must refuse in words; return them."""
        ended = self.cog(*arguments, **env)
        assert ended.returncode == status, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr


def fill(folder: Path, words: str = "one two three") -> Path:
    """Write the weights."""
    (folder / "lists").mkdir(parents=True)
    (folder / "lists" / "words.txt").write_text(words)
    (folder / "README.md").write_text("not weights")
    return folder


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Give somebody an empty project and caches of their own."""
    folder = tmp_path / "project"
    folder.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COG", "HF_"))}
    own = {"COGYARD_CACHE_DIR": str(tmp_path / "cache"), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    return Person(folder, {**kept, **own})


def test_weights_are_imported_and_found_by_the_model(person: Person, tmp_path: Path) -> None:
    """What is not imported is told with the command that does it; then the model has its files, as they were then."""
    source = fill(tmp_path / "source")
    person.write(uri=str(source))
    said = person.failed("predict", "-i", "number=1")
    assert "`words` of cog.yaml: their declaration is not in weights.lock" in said
    assert "cog weights import words" in said
    assert "pending" in person.cog("weights", "status").stdout
    assert person.done("weights", "import", "--dry-run") == "words -> /src/net: 1 file, 13 bytes\n"
    assert not (person.folder / "weights.lock").exists()
    name, digest = person.done("weights", "import").split()
    lock = json.loads((person.folder / "weights.lock").read_text())["weights"][0]
    assert (name, digest, [each["path"] for each in lock["files"]]) == (
        "words",
        lock["digest"],
        ["lists/words.txt"],
    )
    (source / "lists" / "words.txt").write_text("four five six")
    assert person.done("predict", "-i", "number=1") == "two\n"
    assert (person.folder / "net").is_symlink()
    before = (person.folder / "weights.lock").read_bytes()
    person.done("weights", "import")
    assert (person.folder / "weights.lock").read_bytes() != before
    assert person.done("predict", "-i", "number=1") == "five\n"
    status = json.loads(person.done("weights", "status", "--json"))["weights"]
    assert [(each["name"], each["status"], each["fileCount"]) for each in status] == [("words", "ready", 1)]
    assert "lists/words.txt" in person.done("weights", "inspect", "words")


def test_weights_of_the_project_itself_need_no_import_to_run(person: Person) -> None:
    """They are where the model looks for them already."""
    person.write(uri="./net")
    fill(person.folder / "net")
    assert person.done("predict") == "one\n"
    assert not (person.folder / "net").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["weights", "import", "word"], ["declares no weights `word`", "words"], 2),
        (["weights", "import"], ["the source file://", "is not there"], 1),
        (["weights", "pull"], ["is not in weights.lock"], 1),
        (["weights", "inspect", "x"], ["there are no weights `x`"], 2),
        (["weights", "inspect", "--remote"], ["it is not said where to look"], 2),
        (["build", "-t", "x", "--no-load"], ["is not in weights.lock", "cog weights import words"], 1),
    ],
)
def test_what_cannot_be_is_told(person: Person, arguments: list[str], words: list[str], status: int) -> None:
    """In words, with what to do, before any work is done."""
    person.write(uri="/nowhere/at/all")
    said = person.failed(*arguments, status=status)
    for each in words:
        assert each in said


def test_a_place_that_is_taken_is_not_overwritten(person: Person, tmp_path: Path) -> None:
    """A folder of the project's own stays; a place that a process cannot have is told."""
    person.write(uri=str(fill(tmp_path / "source")))
    person.done("weights", "import")
    (person.folder / "net").mkdir()
    assert "net is in the way" in person.failed("predict")
    person.write(uri=str(tmp_path / "source"), target="/nowhere/net")
    person.done("weights", "import")
    assert "a process has no such folder" in person.failed("predict")


@pytest.mark.network
@pytest.mark.slow
def test_a_saved_image_brings_its_weights(person: Person, tmp_path: Path) -> None:
    """To a machine that has neither project nor registry; without them when that is asked for, which is told."""
    person.write(uri=str(fill(tmp_path / "source")))
    person.done("weights", "import")
    person.done("build", "-t", "words", "--no-load")
    whole, bare = str(tmp_path / "whole.tar"), str(tmp_path / "bare.tar")
    assert "with the weights words (13 bytes)" in person.cog("save", "words", "-o", whole).stderr
    assert "without the weights words" in person.cog("save", "words", "--no-weights", "-o", bare).stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = Person(empty, {**person.env, "COGYARD_CACHE_DIR": str(tmp_path / "cache2")})
    loaded = elsewhere.cog("load", "-i", bare)
    assert (loaded.returncode, "without the weights words" in loaded.stderr) == (0, True)
    assert "files are not here" in elsewhere.failed("predict", "words", "--engine", "none")
    assert "with the weights words for /src/net" in elsewhere.cog("load", "-i", whole).stderr
    assert elsewhere.done("predict", "words", "--engine", "none", "-i", "number=2") == "three\n"
    assert "Weights beside it" in elsewhere.done("inspect", "words")
    elsewhere.done("save", "words", "-o", str(tmp_path / "again.tar"))
    assert (tmp_path / "again.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()


@pytest.mark.network
@pytest.mark.slow
def test_a_platform_serves_a_model_with_weights(live_platform: LivePlatform, tmp_path: Path) -> None:
    """Pushed beside the image, which has none of them; a second model sends nothing; elsewhere they are fetched."""
    person = Person(tmp_path / "one", dict(live_platform.env))
    person.folder.mkdir()
    person.write(uri=str(fill(tmp_path / "source")))
    repository = f"{live_platform.host}/{live_platform.owner}/weighty"
    person.done("weights", "import", "--image", repository)
    version = live_platform.push(person.folder, "weighty")
    assert "ready" in person.done("weights", "status", "--image", repository)
    assert "lists/words.txt" in person.done("weights", "inspect", "--remote", "--image", repository)
    with live_platform.http() as http:
        made = http.post(
            "/v1/predictions",
            json={"version": version, "input": {"number": 2}},
            headers={"Prefer": "wait=60"},
        ).json()
        assert (made["status"], made["output"]) == ("succeeded", "three"), made
    second = run(
        COG, "push", f"{live_platform.host}/{live_platform.owner}/weighty2", cwd=person.folder, env=person.env
    )
    assert "(0 bytes sent" in second.stderr
    elsewhere = Person(person.folder, {**person.env, "COGYARD_CACHE_DIR": str(tmp_path / "cache2")})
    (person.folder / "net").unlink(missing_ok=True)
    target, folder = elsewhere.done("weights", "pull", "--image", repository).split()
    assert (target, (Path(folder) / "lists/words.txt").read_text()) == ("/src/net", "one two three")
    assert (Path(folder) / ".cog/ready").is_file()
    elsewhere.done("pull", repository)
    elsewhere.done("push", f"{live_platform.host}/{live_platform.owner}/weighty3", "--stored", repository)
    assert "--check is for" in elsewhere.failed("push", "--stored", repository, "--check", status=2)
    assert elsewhere.done("predict", repository, "--engine", "none", "-i", "number=1") == "two\n"
