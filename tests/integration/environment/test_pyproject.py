"""Packages from pyproject.toml and uv.lock, with the real uv and a folder of wheels as index."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.environment import Target, UnresolvableError, make_environment, uv
from cogyard.environment.making import make_lock
from cogyard.environment.resolve import resolve
from cogyard.project import Project, load_project

from tests.integration.environment.conftest import wheel
from tests.integration.environment.index_server import serving

HERE = "{}.{}".format(*sys.version_info[:2])
PYPROJECT = f"""\
[project]
name = "model"
version = "1"
requires-python = ">={HERE}"
dependencies = ["alpha", "cog>=0.9", "local", "winonly; sys_platform == 'win32'"]
[tool.uv.sources]
local = {{ path = "wheels/local-1.0-py3-none-any.whl" }}
[dependency-groups]
dev = ["beta<2"]
"""


@pytest.fixture
def folder(index: Path) -> Path:
    """Return a project folder whose pyproject.toml has a local wheel, `cog` itself and a development group."""
    wheel(index, "cog", "0.16", "pydantic")
    wheel(index, "pydantic", "1.0")
    wheel(index, "winonly", "1.0")
    project = index.parent / "project"
    (project / "wheels").mkdir(parents=True)
    wheel(project / "wheels", "local", "1.0")
    (project / "cog.yaml").write_text(f'build: {{python_version: "{HERE}"}}\npredict: p.py:P\n')
    (project / "p.py").write_text("class P: ...\n")
    (project / "pyproject.toml").write_text(PYPROJECT)
    return project


def lock(folder: Path) -> None:
    """Run `uv lock`."""
    outcome = uv.run(["lock", "--quiet", "--python", sys.executable], folder=folder)
    assert outcome.status == 0, outcome.messages


def test_pyproject_alone_is_resolved(folder: Path) -> None:
    """Its dependencies without `cog` and what only that needs, without groups; local wheels too."""
    found = resolve(load_project(folder), Target(python=HERE))
    assert [one.name for one in found.packages] == ["alpha", "beta", "local"]
    assert make_environment(found).python.exists()


def test_uv_lock_decides_the_versions(folder: Path, index: Path) -> None:
    """What is locked is what is installed: here an older alpha, since a group of the project holds it back."""
    lock(folder)
    wheel(index, "alpha", "3.0")
    found = resolve(load_project(folder), Target(python=HERE))
    assert [f"{one.name} {one.version}" for one in found.packages] == ["alpha 1.0", "beta 1.0", "local 1.0"]
    assert make_environment(found).python.exists()


def test_a_uv_lock_that_does_not_match_is_refused(folder: Path) -> None:
    """The way out is in the message; nothing is resolved behind one's back."""
    lock(folder)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace('"alpha"', '"alpha<2"'))
    with pytest.raises(UnresolvableError) as caught:
        resolve(load_project(folder), Target(python=HERE))
    assert caught.value.hint == "`uv lock` brings uv.lock up to date with pyproject.toml."


def test_a_change_of_either_file_is_seen(folder: Path, project: Callable[..., Project]) -> None:
    """The cache of locks knows both."""
    before = resolve(load_project(folder), Target(python=HERE))
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace('"alpha"', '"alpha<2"'))
    after = resolve(load_project(folder), Target(python=HERE))
    assert before.text != after.text


def test_a_cog_lock_of_a_uv_lock_says_why_and_from_where(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions are uv.lock's; who wants them and which index they came from is said as for any other."""
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    with serving(index) as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", server.simple)
        lock(folder)
        made = make_lock(load_project(folder), ["linux/amd64", "linux/arm64"])
        simple = server.simple
    alpha, beta, local = made.packages
    assert (alpha["version"], alpha["index"]) == ("1.0", simple)
    assert made.because("alpha") == ("pyproject.toml asks for alpha",)
    assert made.because("beta") == ("alpha 1.0 requires beta>=1",)
    assert beta["index"] == simple
    assert local["archive"]["path"] == "wheels/local-1.0-py3-none-any.whl"
    assert "index" not in local
