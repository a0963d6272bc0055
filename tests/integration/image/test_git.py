"""Packages that come from a git repository, with the real git and a package that builds itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cogyard.environment import Target, make_environment
from cogyard.environment.machine import Machine
from cogyard.environment.resolve import resolve
from cogyard.image.download import Downloader
from cogyard.image.errors import DownloadError
from cogyard.image.wheels.checkout import checkout
from cogyard.image.wheels.fetch import fetch
from cogyard.image.wheels.select import select
from cogyard.project import load_project

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git on this machine")

HERE = "{}.{}".format(*sys.version_info[:2])
BACKEND = """\
import pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = "fromgit-1.0-py3-none-any.whl", "fromgit-1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.write("fromgit.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: fromgit\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", f"fromgit.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
    return name
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    person = ["-c", "user.name=t", "-c", "user.email=t@x.example", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *person, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two commits of a package, in a folder of its own below it."""
    folder = tmp_path / "repository"
    package = folder / "inside"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (package / "backend.py").write_text(BACKEND)
    git(folder, "init", "-q")
    for text in ("said = 'first'\n", "said = 'second'\n"):
        (package / "fromgit.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", text)
    return folder


def test_a_commit_is_fetched_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    """Also one that no branch ends with; a commit or a repository that is not there is told."""
    first = git(repository, "rev-parse", "HEAD~1")
    found = checkout(repository.as_uri(), first, tmp_path / "out")
    assert (found / "inside" / "fromgit.py").read_text() == "said = 'first'\n"
    with pytest.raises(DownloadError, match="cannot be fetched"):
        checkout(repository.as_uri(), "0" * 40, tmp_path / "other")
    with pytest.raises(DownloadError, match="cannot be fetched"):
        checkout((tmp_path / "nothing").as_uri(), first, tmp_path / "third")


@pytest.mark.parametrize("commit", ["main", "--upload-pack=touch /tmp/x", "", "abc"])
def test_what_is_no_commit_is_not_given_to_git(repository: Path, tmp_path: Path, commit: str) -> None:
    """A lock may be anybody's."""
    with pytest.raises(DownloadError, match="names no commit"):
        checkout(repository.as_uri(), commit, tmp_path / "out")


def test_a_refused_password_is_not_shown(tmp_path: Path) -> None:
    """Git is told it by variables, and its answer is shown without."""
    with pytest.raises(DownloadError) as caught:
        checkout("http://127.0.0.1:9/a.git", "0" * 40, tmp_path / "out", lambda _: ("me", "s3cret"))
    assert "127.0.0.1:9" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_a_package_from_git_runs_here_and_goes_into_an_image(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked by its commit: an environment has that code, and so has the wheel for the image."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("COGYARD_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    commit = git(repository, "rev-parse", "HEAD~1")
    line = f"fromgit @ git+{repository.as_uri()}@{commit}#subdirectory=inside"
    build = f'build:\n  python_version: "{HERE}"\n  python_packages: ["{line}"]\n'
    (folder / "cog.yaml").write_text(f"{build}predict: p.py:P\n")
    (folder / "p.py").write_text("class P: ...\n")
    lock = resolve(load_project(folder), Target(python=HERE))
    assert commit in lock.text
    python = make_environment(lock).python
    done = subprocess.run(
        [str(python), "-c", "import fromgit; print(fromgit.said)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "first\n"
    machine = Machine(python=(sys.version_info[0], sys.version_info[1]), architecture="amd64", glibc=(2, 36))
    (selected,) = select(lock.text, machine)
    # All that uv finds is a shim of pyenv for a version that is not installed; there is a Python all the same.
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / f"python{HERE}").write_text("#!/bin/sh\necho pyenv: command not found >&2\nexit 127\n")
    (shims / f"python{HERE}").chmod(0o755)
    (shims / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(shims))
    with Downloader(tmp_path / "downloads") as downloader:
        for _ in range(2):  # the second time it is there already
            (wheel,) = fetch([selected], downloader, HERE, tmp_path / "built")
    with zipfile.ZipFile(wheel.path) as archive:
        assert archive.read("fromgit.py") == b"said = 'first'\n"
