"""cog.lock made and used, with the real uv and a folder of wheels as index."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.environment import CogLock, Lock, Target, lock_for, lock_path, make_environment
from cogyard.environment.making import LockedBase, make_lock
from cogyard.environment.resolve import resolve
from cogyard.image.platforms import local_platform
from cogyard.project import Project, load_project

from tests.integration.environment.conftest import wheel

HERE = "{}.{}".format(*sys.version_info[:2])
BASE = LockedBase(
    platform="linux/amd64", name="python:3-slim", digest=f"sha256:{'0' * 64}", because="said so"
)


def locked(project: Project, *platforms: str, upgrade: tuple[str, ...] | None = ()) -> CogLock:
    """Make the project's lock and write it."""
    from cogyard.environment import read_lock

    made = make_lock(
        project, platforms or (local_platform(),), previous=read_lock(project), upgrade=upgrade, bases=[BASE]
    )
    lock_path(project).write_text(made.text)
    return made


def freeze(lock: Lock) -> list[str]:
    """Return name and version of each package."""
    return [f"{one.name} {one.version}" for one in lock.packages]


def test_a_lock_says_what_and_why(project: Callable[..., Project]) -> None:
    """Every package with its hash and who wants it on which condition; the base with its digest."""
    made = locked(project("alpha"), "linux/amd64", "linux/arm64")
    alpha, beta = made.packages
    assert made.because("alpha") == ("cog.yaml asks for alpha",)
    assert made.because("beta") == ("alpha 2.0 requires beta>=2",)
    assert made.chain("beta") == ("alpha", "beta")
    assert all(len(one["wheels"][0]["hashes"]["sha256"]) == 64 for one in (alpha, beta))
    assert made.base("linux/amd64") == {
        "platform": "linux/amd64",
        "name": "python:3-slim",
        "digest": f"sha256:{'0' * 64}",
        "because": "said so",
    }


def test_the_same_project_gives_the_same_bytes(project: Callable[..., Project], tmp_path: Path) -> None:
    """Twice, and with everything that is kept thrown away in between."""
    one = project("alpha", "beta")
    first = locked(one, "linux/amd64", "linux/arm64").text
    lock_path(one).unlink()
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    shutil.rmtree(tmp_path / "uv-cache")
    assert locked(one, "linux/amd64", "linux/arm64").text == first


def test_a_lock_decides_until_it_is_upgraded(project: Callable[..., Project], index: Path) -> None:
    """New releases change nothing; `cog lock` keeps versions, --upgrade-package and --upgrade take newer ones."""
    one = project("alpha", "beta")
    target = Target(python=HERE)
    locked(one)
    wheel(index, "alpha", "3.0", "beta>=2")
    wheel(index, "beta", "3.0")
    found = lock_for(one, target)
    assert (freeze(found), found.origin, found.warnings) == (["alpha 2.0", "beta 2.0"], "cog.lock", ())
    locked(one)
    assert freeze(lock_for(one, target)) == ["alpha 2.0", "beta 2.0"]
    locked(one, upgrade=("beta",))
    assert freeze(lock_for(one, target)) == ["alpha 2.0", "beta 3.0"]
    locked(one, upgrade=None)
    assert freeze(lock_for(one, target)) == ["alpha 3.0", "beta 3.0"]


def test_a_locked_environment_needs_no_index(
    project: Callable[..., Project], index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the files themselves, which the lock names."""
    one = project("alpha")
    locked(one)
    monkeypatch.setenv("UV_FIND_LINKS", "")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    found = lock_for(one, Target(python=HERE))
    assert make_environment(found).python.exists()
    assert lock_for(one, Target(python=HERE)) == found  # out of what was kept


def test_a_stale_lock_is_told_and_not_used(project: Callable[..., Project]) -> None:
    """The difference is named, and the way out."""
    locked(project("alpha"))
    found = lock_for(project("alpha", "beta<2"), Target(python=HERE))
    assert freeze(found) == ["alpha 1.0", "beta 1.0"]
    assert found.origin is None
    (warning,) = found.warnings
    assert warning.startswith("cog.lock is stale: beta<2 was added.")
    assert "`cog lock` brings it up to date" in warning


def test_a_stale_lock_is_told_before_anything_is_asked(project: Callable[..., Project]) -> None:
    """So nobody waits for packages to learn that they are not those of the lock."""
    locked(project("alpha"))
    said: list[str] = []
    found = lock_for(
        project("alpha", "beta<2"), Target(python=HERE), on_stale=said.append, on_progress=said.append
    )
    assert said[0].startswith("cog.lock is stale: beta<2 was added.")
    assert said[1] == "Resolving packages"
    assert found.warnings == ()


def test_another_platform_is_told_and_resolved(project: Callable[..., Project]) -> None:
    """The lock of one is not taken for another."""
    one = project("alpha")
    other = "linux/arm64" if local_platform() == "linux/amd64" else "linux/amd64"
    locked(one)
    found = lock_for(one, Target(python=HERE, platform=other))
    assert freeze(found) == ["alpha 2.0", "beta 2.0"]
    assert found.warnings[0].startswith(f"cog.lock holds nothing for {other}, only for {local_platform()}")


def test_the_lock_changes_no_byte_of_what_is_installed(project: Callable[..., Project]) -> None:
    """An image built from cog.lock has the layers of one that was resolved: both take the same text."""
    one = project("alpha")
    target = Target(python=HERE, platform="linux/amd64")
    resolved = resolve(one, target)
    locked(one, "linux/amd64")
    assert lock_for(one, target).text == resolved.text


def test_a_wheel_of_the_project_is_locked_by_its_content(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    """Its path counts from the project, so the lock works where the project is copied to; a changed file is told."""
    one = project("alpha")
    wheel(one.root, "own", "1.0")
    (one.root / "cog.yaml").write_text(
        (one.root / "cog.yaml").read_text().replace('"alpha"', '"./own-1.0-py3-none-any.whl"')
    )
    made = locked(load_project(one.root))
    assert str(tmp_path) not in made.text
    assert made.packages[0]["archive"]["path"] == "own-1.0-py3-none-any.whl"
    copy = tmp_path / "copy"
    shutil.copytree(one.root, copy)
    found = lock_for(load_project(copy), Target(python=HERE))
    assert found.origin == "cog.lock"
    assert found.packages[0].wheels[0].path == str(copy / "own-1.0-py3-none-any.whl")
    wheel(copy, "own", "1.0", code="changed = True\n")
    assert (
        lock_for(load_project(copy), Target(python=HERE))
        .warnings[0]
        .startswith("cog.lock is stale: own-1.0-py3-none-any.whl changed")
    )


def test_a_new_wheel_in_a_folder_of_the_project_is_seen(project: Callable[..., Project]) -> None:
    """`--find-links` names a folder, and what is in it may change."""
    one = project("gamma")
    (one.root / "wheels").mkdir()
    wheel(one.root / "wheels", "gamma", "1.0")
    config = (
        (one.root / "cog.yaml")
        .read_text()
        .replace('python_packages: ["gamma"]', "python_requirements: r.txt")
    )
    (one.root / "cog.yaml").write_text(config)
    (one.root / "r.txt").write_text("--find-links wheels\ngamma\n")
    assert freeze(lock_for(load_project(one.root), Target(python=HERE))) == ["gamma 1.0"]
    wheel(one.root / "wheels", "gamma", "2.0")
    assert freeze(lock_for(load_project(one.root), Target(python=HERE))) == ["gamma 2.0"]
    made = locked(load_project(one.root))
    assert made.packages[0]["wheels"][0]["path"] == "wheels/gamma-2.0-py3-none-any.whl"
    assert str(one.root) not in (one.root / "cog.lock").read_text()  # it is the same on everybody's machine
