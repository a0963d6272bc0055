"""From a project to a Python that runs it, with the real uv and a folder of wheels as index."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cogyard.environment import (
    InstallingFailedError,
    Lock,
    PythonMissingError,
    Target,
    UnresolvableError,
    cache_dir,
    find_python,
    make_environment,
    own_wheel,
)
from cogyard.environment.resolve import resolve
from cogyard.project import Project

HERE = "{}.{}".format(*sys.version_info[:2])


def python_says(python: Path, code: str) -> str:
    """Return what a line of Python prints in an environment."""
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_project_becomes_an_environment_that_imports_its_packages(project: Callable[..., Project]) -> None:
    """The packages of cog.yaml, what they need, and our SDK are there; nothing else is."""
    said: list[str] = []
    lock = resolve(project("alpha<2", "cog==0.16"), Target(python=HERE), on_progress=said.append)
    assert lock.freeze() == "alpha==1.0\nbeta==2.0"
    environment = make_environment(lock, on_progress=said.append)
    assert python_says(environment.python, "import alpha, beta, cog; print(alpha.__version__)") == "1.0"
    listing = "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))"
    assert python_says(environment.python, listing) == "['alpha', 'beta', 'cogyard-sdk']"
    assert "Resolving packages" in said
    assert "Making the Python environment" in said


def test_the_second_time_costs_nothing(project: Callable[..., Project]) -> None:
    """The same project is answered from the cache in some 20 ms of processor time, with no index at all."""
    wanted = project("alpha")
    first = make_environment(resolve(wanted, Target(python=HERE)))
    fastest = 1.0
    for _ in range(9):
        began = time.process_time()
        again = make_environment(resolve(wanted, Target(python=HERE)))
        fastest = min(fastest, time.process_time() - began)
    assert again == first
    assert fastest < 0.15


def test_another_requirement_is_another_environment(project: Callable[..., Project]) -> None:
    """Environments are kept by content and never changed."""
    one = make_environment(resolve(project("alpha==1.0"), Target(python=HERE)))
    two = make_environment(resolve(project("alpha==2.0"), Target(python=HERE)))
    assert one.root != two.root
    assert python_says(one.python, "import alpha; print(alpha.__version__)") == "1.0"


def test_callers_at_once_make_it_once(project: Callable[..., Project]) -> None:
    """The others wait, and get the same environment."""
    lock = resolve(project("alpha"), Target(python=HERE))
    said: list[str] = []
    made: list[Path] = []

    def make() -> None:
        made.append(make_environment(lock, on_progress=said.append).root)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert said.count("Making the Python environment") == 1


def test_a_half_made_environment_is_made_anew(project: Callable[..., Project]) -> None:
    """What a killed process left is not taken for an environment."""
    lock = resolve(project("alpha"), Target(python=HERE))
    environment = make_environment(lock)
    (environment.root / ".complete").unlink()
    (environment.root / "lib" / f"python{HERE}" / "site-packages" / "alpha.py").unlink()
    again = make_environment(lock)
    assert again.root == environment.root
    assert python_says(again.python, "import alpha; print(1)") == "1"


def test_an_environment_whose_python_is_gone_is_made_anew(project: Callable[..., Project]) -> None:
    """Uninstalling a Python does not leave a model that cannot start."""
    lock = resolve(project("alpha"), Target(python=HERE))
    environment = make_environment(lock)
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python")
    assert python_says(make_environment(lock).python, "print(1)") == "1"


def test_packages_that_do_not_fit_are_explained(project: Callable[..., Project]) -> None:
    """One sentence of ours, then uv's own lines; nothing is kept."""
    with pytest.raises(UnresolvableError) as caught:
        resolve(project("alpha==2.0", "beta<2"), Target(python=HERE))
    assert caught.value.message.startswith("no set of packages fits what the project asks for")
    assert "beta" in caught.value.details
    assert caught.value.hint is not None
    assert not (cache_dir() / "locks").exists()
    with pytest.raises(UnresolvableError):
        resolve(project("gamma"), Target(python=HERE))


def test_a_file_that_changed_on_the_way_is_refused(project: Callable[..., Project]) -> None:
    """The lock's hashes are checked; the environment is not there afterwards."""
    lock = resolve(project("alpha==1.0"), Target(python=HERE))
    sha256 = lock.packages[1].wheels[0].sha256
    assert sha256 is not None
    with pytest.raises(InstallingFailedError):
        make_environment(Lock(lock.text.replace(sha256, "0" * 64), HERE))
    left = list((cache_dir() / "environments").iterdir())
    assert [one.suffix for one in left] == [".lock"]


def test_another_platforms_lock_is_made_here(project: Callable[..., Project]) -> None:
    """An image for linux/arm64 can be locked on any machine."""
    lock = resolve(project("alpha"), Target(python="3.13", platform="linux/arm64"))
    assert (lock.python, lock.platform) == ("3.13", "linux/arm64")
    assert [one.name for one in lock.packages] == ["alpha", "beta"]


def test_a_python_that_is_nowhere_is_told_with_the_way_out(index: Path) -> None:
    """Neither installed nor allowed to be fetched: the message says what to do."""
    with pytest.raises(PythonMissingError) as caught:
        make_environment(Lock('lock-version = "1.0"\n', "3.99"))
    assert "Python 3.99 is not on this machine" in caught.value.message
    assert caught.value.hint is not None
    assert f"such as {HERE}" in caught.value.hint


@pytest.mark.parametrize("version", ["", "3", "3.11.4", "../../tmp/x", "3.11/../../x", "3.*", "-c", "٣.11"])
def test_a_version_that_is_none_finds_nothing(version: str) -> None:
    """The version may come with a stranger's image: nothing is searched or run for a text that is no version."""
    with pytest.raises(PythonMissingError, match="is not a version of Python"):
        find_python(version)


def test_the_running_python_is_preferred() -> None:
    """No search is made for the version that runs already; it is the base, not this virtual environment."""
    found = find_python(HERE)
    assert python_says(found, "import sys; print(sys.prefix == sys.base_prefix)") == "True"


def test_our_own_wheels_are_made_from_what_is_installed(index: Path) -> None:
    """Same code, same bytes; pip's record is right."""
    for name, module in (("cogyard-sdk", "cog"), ("cogyard-model-server", "cog_server")):
        path = own_wheel(name)
        assert own_wheel(name) == path
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
        assert f"{module}/__init__.py" in names
        assert f"{module}/py.typed" in names
        assert not any("__pycache__" in one or one.endswith(".pth") for one in names)
        assert names[-1].endswith(".dist-info/RECORD")


def test_our_own_wheel_follows_its_source(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes, comes or goes makes another wheel; what only looks new makes the same one again."""
    info = tmp_path / "cogyard_sdk-7.dist-info"
    package = tmp_path / "cog"
    info.mkdir()
    package.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cogyard-sdk\nVersion: 7\n")
    (info / "RECORD").write_text("cog/__init__.py,,\ncog/more.py,,\ncogyard_sdk-7.dist-info/METADATA,,\n")
    (package / "__init__.py").write_text("A = 1\n")
    (package / "more.py").write_text("B = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = [own_wheel("cogyard-sdk")]
    assert made[0].name == "cogyard_sdk-7-py3-none-any.whl"
    (package / "more.py").write_text("B = 2\n")
    made.append(own_wheel("cogyard-sdk"))
    (package / "more.py").write_text("B = 1\n")
    assert own_wheel("cogyard-sdk") == made[0]
    made[0].unlink()
    assert own_wheel("cogyard-sdk") == made[0]
    assert made[0].is_file()
    assert made[1] != made[0]
