"""What `--reload` takes for a change."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from cogyard.cli.reload import Watcher, difference, forget_bytecode, look
from cogyard.project import Project, load_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with a few files."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.11"}\npredict: "predict.py:Predictor"\n')
    (tmp_path / "predict.py").write_text("class Predictor: ...\n")
    (tmp_path / ".dockerignore").write_text("data\n")
    return load_project(tmp_path)


def test_what_came_went_and_changed_is_named() -> None:
    """Names are sorted; what stayed is not among them."""
    before = {"a": (1, 1), "b": (1, 1), "c": (1, 1)}
    assert difference(before, {"a": (1, 1), "b": (2, 1), "d": (1, 1)}) == ["b", "c", "d"]
    assert difference(before, before) == []


def test_only_what_the_model_may_read_counts(project: Project) -> None:
    """Ignored files, caches, editors' copies and outputs like pictures restart nothing."""
    before = look(project)
    (project.root / "data").mkdir()
    for name in ("data/x.py", "output.png", "predict.py~", ".predict.py.swp", "notes.md"):
        (project.root / name).write_text("x")
    (project.root / "__pycache__").mkdir()
    (project.root / "__pycache__" / "predict.pyc").write_text("x")
    assert difference(before, look(project)) == []
    (project.root / "helper.py").write_text("x")
    (project.root / "predict.py").write_text("class Predictor: pass\n")
    assert difference(before, look(project)) == ["helper.py", "predict.py"]


def test_a_link_that_leads_nowhere_is_no_trouble(project: Project) -> None:
    """A file may go while the others are looked at."""
    (project.root / "gone.py").symlink_to("nowhere.py")
    assert "predict.py" in look(project)


def test_a_watcher_tells_once_and_then_stops(project: Project) -> None:
    """One change is told once; nothing is told after the end."""
    import queue

    told: queue.Queue[list[str]] = queue.Queue()
    watcher = Watcher(project=project, on_change=told.put, every=0.01)
    watcher.start()
    (project.root / "predict.py").write_text("class Predictor: pass\n")
    assert told.get(timeout=10) == ["predict.py"]
    watcher.stop()
    assert told.empty()


def test_an_edit_of_the_same_second_and_size_is_compiled_anew(tmp_path: Path) -> None:
    """Python itself would run the old one; what other files compiled to is kept."""
    sources = {name: tmp_path / "pack[1]" / name for name in ("words.py", "words_more.py")}
    for source in sources.values():
        source.parent.mkdir(exist_ok=True)
        source.write_text("WORD = 'one'\n")
        os.utime(source, (10**9, 10**9))
        py_compile.compile(str(source))
    changed = sources["words.py"]
    changed.write_text("WORD = 'two'\n")
    os.utime(changed, (10**9, 10**9))
    command = [sys.executable, "-c", "import words; print(words.WORD)"]

    def word() -> str:
        return subprocess.run(
            command, cwd=changed.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert word() == "one"
    forget_bytecode(tmp_path, ["pack[1]/words.py", "notes.txt", "gone/words.py"])
    assert word() == "two"
    (kept,) = changed.parent.glob("__pycache__/words_more.*.pyc")
    assert kept.exists()
