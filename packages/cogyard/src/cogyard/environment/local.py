"""A Python environment on this machine, made from a lock and kept by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cogyard.environment import cache as caching
from cogyard.environment import pylock, uv
from cogyard.environment.errors import InstallingFailedError
from cogyard.environment.lock import Lock
from cogyard.environment.python import find_python
from cogyard.environment.wheels import own_wheel

SDK = "cogyard-sdk"
_COMPLETE = ".complete"


@dataclass(frozen=True, kw_only=True)
class LocalEnvironment:
    """A finished environment; `python` is its executable."""

    root: Path
    python: Path

    def variables(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return what a process in this environment has different from `outer`: its own programs first, nobody's paths.

        An empty PYTHONPATH or PYTHONHOME is as good as none to Python.
        """
        path = os.pathsep.join(part for part in (str(self.python.parent), outer.get("PATH", "")) if part)
        return {"PATH": path, "VIRTUAL_ENV": str(self.root), "PYTHONPATH": "", "PYTHONHOME": ""}


def make_environment(
    lock: Lock, *, cache: Path | None = None, on_progress: uv.Progress = uv.silent
) -> LocalEnvironment:
    """Return the environment of a lock with our SDK in it, making it when it is not there yet.

    An environment is finished or not there: the marker is written last, under a lock file, and what an
    interrupted run left is made anew. Raises PythonMissingError and InstallingFailedError.
    """
    wheel = own_wheel(SDK)
    base = (cache or caching.cache_dir()) / "environments"
    root = base / caching.key("environment 1", lock.text, lock.python, wheel.parent.name)
    ready = _ready(root)
    if ready is not None:
        return ready
    waiting = "Waiting for another command that makes the same environment"
    with caching.locked(base / f"{root.name}.lock", lambda: on_progress(waiting)):
        ready = _ready(root)  # another process may have made it while we waited
        if ready is not None:
            return ready
        python = find_python(lock.python, on_progress=on_progress)
        try:
            _make(root, lock, python, wheel, on_progress)
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
    return LocalEnvironment(root=root, python=_python(root))


def _make(root: Path, lock: Lock, python: Path, wheel: Path, on_progress: uv.Progress) -> None:
    on_progress("Making the Python environment")
    shutil.rmtree(root, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        whole = _with_own(lock.text, wheel)
        (folder / "pylock.toml").write_text(whole or lock.text, "utf-8")
        _uv(["venv", "--quiet", "--no-project", "--python", str(python), str(root)], folder, on_progress)
        inside = str(_python(root))
        if whole is not None or lock.packages:
            settings = lock.credentials.settings(os.environ)
            _install(["pip", "sync", "--python", inside, "pylock.toml"], folder, settings, on_progress)
        if whole is None:
            alone = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--python", inside, str(wheel)]
            _uv(alone, folder)
    (root / _COMPLETE).write_text(f"{lock.python}\n")


def _with_own(text: str, wheel: Path) -> str | None:
    """Return a lock with our SDK in it, so that one run of uv installs all; None for one that cannot be added to.

    A lock out of an image may be anybody's: it may hold an SDK already, or values that we do not write.
    """
    document = pylock.parse(text)
    packages = document.get("packages", [])
    if not isinstance(packages, list) or any(_is_own(one) for one in packages):
        return None
    hashes = {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    own = {
        "name": SDK,
        "version": wheel.name.split("-")[1],
        "archive": {"path": str(wheel), "hashes": hashes},
    }
    try:
        return pylock.render({**document, "packages": [*packages, own]})
    except TypeError:
        return None


def _is_own(package: object) -> bool:
    return not isinstance(package, dict) or package.get("name") == SDK


def _install(
    arguments: list[str], folder: Path, settings: Mapping[str, str], on_progress: uv.Progress
) -> None:
    # uv asks about every file of a lock again, and fetches it again where the index sends no caching headers (as many
    # mirrors do): what its cache holds is taken first, by hash and without the network.
    if uv.run([*arguments, "--offline"], folder=folder).status != 0:
        _uv(arguments, folder, on_progress, settings)


def _uv(
    arguments: list[str],
    folder: Path,
    on_progress: uv.Progress = uv.silent,
    settings: Mapping[str, str] | None = None,
) -> None:
    outcome = uv.run(arguments, folder=folder, settings=settings, on_progress=on_progress)
    if outcome.status != 0:
        raise InstallingFailedError(
            "the packages could not be installed:",
            details=outcome.messages,
            hint="The lines above are uv's own. Is the package index reachable, and is there room on the disk?",
        )


def _ready(root: Path) -> LocalEnvironment | None:
    python = _python(root)
    # exists() follows the link: a Python that was uninstalled leaves the environment without one
    return (
        LocalEnvironment(root=root, python=python)
        if (root / _COMPLETE).exists() and python.exists()
        else None
    )


def _python(root: Path) -> Path:
    return root / "bin" / "python"
