"""`make setup` makes `.venv` of a Python that is not needlessly slow, unless somebody names one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "bootstrap.py"
SLOW, FAST = "'--prefix=/home/me/.pyenv' '--enable-shared'", "'--enable-optimizations' '--with-lto'"


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def system_python(folder: Path, *, usable: bool = True) -> Path:
    """Write a program that stands for the system's Python: it says whether it has what is needed."""
    program = folder / "bin" / "python3"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nexit {0 if usable else 1}\n")
    program.chmod(0o755)
    return program


def test_a_python_without_optimizations_gives_way_to_the_systems(
    bootstrap: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build as pyenv makes it is replaced, and the line that says so says how to have it all the same."""
    system = system_python(tmp_path)
    assert bootstrap.choose_python(named=False, this="/me/python3", options=SLOW, system=system) == str(
        system
    )
    assert "make setup PYTHON=/me/python3" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "named"), [(FAST, False), (None, False), (SLOW, True)])
def test_a_fast_python_and_a_named_one_are_taken_as_they_are(
    bootstrap: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: str | None,
    named: bool,
) -> None:
    """Nothing is chosen for who has a fast Python, who says which one, or whose Python does not say how it was made."""
    system = system_python(tmp_path)
    assert (
        bootstrap.choose_python(named=named, this="/me/python3", options=options, system=system)
        == "/me/python3"
    )
    assert capsys.readouterr().err == ""


def test_a_system_that_lacks_something_is_left_alone(bootstrap: ModuleType, tmp_path: Path) -> None:
    """A slow Python is better than one without what is needed, and than none."""
    poor = system_python(tmp_path, usable=False)
    for system in (poor, tmp_path / "nowhere"):
        assert (
            bootstrap.choose_python(named=False, this="/me/python3", options=SLOW, system=system)
            == "/me/python3"
        )


def test_an_environment_is_kept_unless_another_python_is_named(bootstrap: ModuleType, tmp_path: Path) -> None:
    """Who set it up with a Python of their own keeps it when they do not name it again."""
    environment, here = tmp_path / "env", Path(sys.executable).resolve()
    assert not bootstrap.is_made_of(None, environment)
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(here)
    (environment / "pyvenv.cfg").write_text(f"home = {here.parent}\nversion_info = 3.11\n")
    assert bootstrap.is_made_of(None, environment)
    assert bootstrap.is_made_of(sys.executable, environment)
    assert not bootstrap.is_made_of(str(system_python(tmp_path)), environment)
