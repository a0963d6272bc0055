"""What cog init writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cogyard.project import ProjectError, load_project, templates


def test_a_new_project_is_whole_and_valid(tmp_path: Path) -> None:
    """The files written are a project without a single problem."""
    folder = tmp_path / "My Model"
    folder.mkdir()
    assert list(templates.write(folder)) == [
        ("cog.yaml", True), ("predict.py", True), (".dockerignore", True), ("requirements.txt", True),
    ]  # fmt: skip
    project = load_project(folder)
    assert project.ref == "predict.py:Predictor"
    assert project.requirements == ()
    assert not project.warnings
    assert "your-name/my-model" in (folder / "cog.yaml").read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there stays as it is, down to its bytes."""
    (tmp_path / "predict.py").write_text("mine")
    (tmp_path / ".dockerignore").symlink_to("nowhere")
    assert dict(templates.write(tmp_path)) == {
        "cog.yaml": True, "predict.py": False, ".dockerignore": False, "requirements.txt": True,
    }  # fmt: skip
    assert (tmp_path / "predict.py").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The reason is the system's own."""
    with pytest.raises(ProjectError, match="No such file or directory"):
        list(templates.write(tmp_path / "gone"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the machine has no /dev/full")
def test_a_file_that_cannot_be_written_whole_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk nothing half-written stays, which the next `cog init` would skip as the author's own."""
    real = Path.open

    def full(path: Path, *arguments: Any, **named: Any) -> Any:
        file = real(path, *arguments, **named)
        if "x" not in arguments:
            return file
        file.close()
        return real(Path("/dev/full"), "w", encoding="utf-8")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(ProjectError, match="No space left on device"):
            list(templates.write(tmp_path))
    assert not list(tmp_path.iterdir())
