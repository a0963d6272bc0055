"""pyproject.toml as the source of packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import Project, ProjectError, load_project

CONFIG = 'build:\n  python_version: "3.12"\npredict: "p.py:P"\n'
NAMED = CONFIG.replace("predict:", "  python_requirements: pyproject.toml\npredict:")
WITH = '[project]\nname = "m"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["idna<4"]\n'


def load(folder: Path, config: str, pyproject: str | None = WITH, *, lock: bool = False) -> Project:
    """Write a project and read it."""
    (folder / "cog.yaml").write_text(config)
    (folder / "p.py").write_text("class P: ...\n")
    if pyproject is not None:
        (folder / "pyproject.toml").write_text(pyproject)
    if lock:
        (folder / "uv.lock").write_text("")
    return load_project(folder)


@pytest.mark.parametrize("config", [CONFIG, NAMED])
def test_it_is_taken_when_it_is_named_or_nothing_else_is(tmp_path: Path, config: str) -> None:
    """Both ways give the same; what is read from is said."""
    project = load(tmp_path, config, lock=True)
    assert project.pyproject is not None
    assert project.pyproject.dependencies == ("idna<4",)
    assert project.pyproject.lock == tmp_path.resolve() / "uv.lock"
    assert project.described == "cog.yaml with pyproject.toml and uv.lock"
    assert (project.requirements, project.requirement_files) == ((), ())


def test_packages_that_only_poetry_reads_are_told(tmp_path: Path) -> None:
    """A model without its packages is no surprise then; who says that it needs none is not told."""
    poetry = '[tool.poetry.dependencies]\npython = "^3.12"\nidna = "3.7"\n'
    (warning,) = load(tmp_path, CONFIG, poetry).warnings
    assert (warning.file, "are not read" in warning.message) == ("pyproject.toml", True)
    none = CONFIG.replace("predict:", "  python_packages: []\npredict:")
    assert load(tmp_path, none, poetry).warnings == ()
    assert load(tmp_path, CONFIG, "[tool.poetry]\nname = 'a'\n").warnings == ()
    assert load(tmp_path, CONFIG, "[tool.").warnings == ()


def test_a_uv_lock_alone_is_told(tmp_path: Path) -> None:
    """It names packages, and without its pyproject.toml nothing reads it; whoever names packages elsewhere knows."""
    (warning,) = load(tmp_path, CONFIG, None, lock=True).warnings
    assert (warning.file, "without the pyproject.toml" in warning.message) == ("uv.lock", True)
    none = CONFIG.replace("predict:", "  python_packages: []\npredict:")
    assert load(tmp_path, none, None, lock=True).warnings == ()


def test_dynamic_dependencies_are_uvs_to_tell(tmp_path: Path) -> None:
    """A uv.lock has them."""
    project = load(tmp_path, CONFIG, '[project]\nname = "m"\ndynamic = ["dependencies"]\n', lock=True)
    assert project.pyproject is not None
    assert project.pyproject.lock is not None


def test_without_a_lock_it_is_alone(tmp_path: Path) -> None:
    """uv.lock counts where it is."""
    project = load(tmp_path, CONFIG)
    assert project.pyproject is not None
    assert project.pyproject.lock is None
    assert project.described == "cog.yaml with pyproject.toml"


@pytest.mark.parametrize(
    "line", ["python_packages: []", "python_packages: [six]", "python_requirements: r.txt"]
)
def test_packages_of_cog_yaml_count_alone(tmp_path: Path, line: str) -> None:
    """A pyproject.toml changes nothing for a project that names its packages, or says that it needs none."""
    (tmp_path / "r.txt").write_text("six\n")
    project = load(tmp_path, CONFIG.replace("predict:", f"  {line}\npredict:"))
    assert project.pyproject is None
    assert project.described == "cog.yaml"


@pytest.mark.parametrize("pyproject", ["[tool.ruff]\nline-length = 100\n", "not toml [", None])
def test_one_that_only_configures_tools_names_no_packages(tmp_path: Path, pyproject: str | None) -> None:
    """It is no concern of cog's then, whatever is in it."""
    assert load(tmp_path, CONFIG, pyproject).pyproject is None


@pytest.mark.parametrize(
    ("pyproject", "place", "said"),
    [
        ("[tool.x]\n", "pyproject.toml", "has no [project] table"),
        ("[tool.poetry]\nname = 'a'\n", "pyproject.toml", "has no [project] table"),
        (
            "[project]\nname = 'm'\ndynamic = ['dependencies']\n",
            "pyproject.toml:3:1",
            "`dependencies` is dynamic",
        ),
        ("not toml [", "pyproject.toml", "is not valid TOML"),
        (WITH.replace(">=3.11", "<3.12"), "pyproject.toml:4:1", "cog.yaml says python_version 3.12"),
        (WITH.replace(">=3.11", "new"), "pyproject.toml:4:1", "is not a range of versions"),
        (WITH.replace("idna<4", "foo bar"), "pyproject.toml:5:18", "is not a requirement"),
        (WITH.replace('["idna<4"]', "3"), "pyproject.toml:5:1", "must be a list of texts"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_place(
    tmp_path: Path, pyproject: str, place: str, said: str
) -> None:
    """A file that is named must be usable."""
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, NAMED, pyproject)
    (problem,) = caught.value.problems
    assert problem.place.startswith(place)
    assert said in problem.message


def test_any_patch_release_may_satisfy_requires_python(tmp_path: Path) -> None:
    """`>=3.12.4` is no reason to refuse 3.12."""
    assert load(tmp_path, CONFIG, WITH.replace(">=3.11", ">=3.12.4")).pyproject is not None
