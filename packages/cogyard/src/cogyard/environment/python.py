"""Find a Python of one minor version: the running one, an installed one, or one that uv fetches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cogyard.environment import uv
from cogyard.environment.errors import PythonMissingError

_PROBE = (
    "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name); "
    "print(getattr(sys, '_base_executable', '') or sys.executable)"
)
_PROBE_SECONDS = 15


def find_python(
    version: str, *, fetch: bool = True, shims: bool = True, on_progress: uv.Progress = uv.silent
) -> Path:
    """Return the executable of a CPython `version` ("3.11"); raise PythonMissingError when there is none.

    Without `shims`, pyenv's choice is not asked for: its newest of that version will do.
    """
    if not re.fullmatch(r"[0-9]{1,2}[.][0-9]{1,3}", version):
        # it may stand in the label of a stranger's image, and becomes part of a path below
        raise PythonMissingError(f"`{version[:40]}` is not a version of Python", hint="Write it as 3.13.")
    running = _running(version)
    if running is not None:
        return running
    for candidate in _candidates(version, shims=shims):
        found = _probe(candidate, version)
        if found is not None:
            return found
    managed = _managed(version)
    if managed is not None:
        return managed
    if not fetch or os.environ.get("UV_PYTHON_DOWNLOADS") == "never":
        raise _missing(version, "")
    return _fetched(version, on_progress)


def any_python(version: str) -> tuple[Path, bool]:
    """Return a Python for resolving: one of that version (True), or the running one in its place (False).

    Looked for once, and without pyenv's shims, which take long to say that they are not it: an explanation asks for
    many versions, many times.
    """
    where = tuple(os.environ.get(name) for name in ("PATH", "PYENV_ROOT", "HOME", "UV_PYTHON_INSTALL_DIR"))
    return _any_python(version, where)


@cache
def _any_python(version: str, where: tuple[str | None, ...]) -> tuple[Path, bool]:
    del where  # it only says when to look again
    try:
        return find_python(version, fetch=False, shims=False), True
    except PythonMissingError:
        return Path(_base_executable()), False


def _running(version: str) -> Path | None:
    if "{}.{}".format(*sys.version_info[:2]) != version or sys.implementation.name != "cpython":
        return None
    path = Path(_base_executable())
    return path if path.exists() else None


def _base_executable() -> str:
    return getattr(sys, "_base_executable", None) or sys.executable


def _candidates(version: str, *, shims: bool) -> Iterator[Path]:
    import shutil

    names = (f"python{version}", "python3", "python")
    for name in names:
        found = shutil.which(name)
        if found and (shims or Path(found).parent.name != "shims"):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if pyenv.is_dir():
        for folder in sorted(pyenv.glob(f"{version}.*"), key=_patch, reverse=True):
            yield folder / "bin" / f"python{version}"
    for place in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"):
        yield Path(place) / f"python{version}"


def _patch(folder: Path) -> int:
    last = folder.name.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def _probe(candidate: Path, version: str) -> Path | None:
    """Return the base executable when `candidate` runs and is the wanted one (pyenv's shims often do not)."""
    if not candidate.exists():
        return None
    try:
        answer = subprocess.run(
            [str(candidate), "-I", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or len(lines) != 2 or lines[0] != f"{version} cpython":
        return None
    base = Path(lines[1])
    return base if base.exists() else candidate


def _managed(version: str) -> Path | None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="cogyard-") as folder:
        arguments = ["python", "find", "--managed-python", "--no-python-downloads", "--quiet", version]
        outcome = uv.run(arguments, folder=Path(folder))
    path = Path(outcome.output.strip().splitlines()[-1]) if outcome.status == 0 and outcome.output else None
    return path if path is not None and path.exists() else None


def _fetched(version: str, on_progress: uv.Progress) -> Path:
    from tempfile import TemporaryDirectory

    on_progress(f"Fetching Python {version}")
    with TemporaryDirectory(prefix="cogyard-") as folder:
        outcome = uv.run(
            ["python", "install", "--no-bin", version], folder=Path(folder), on_progress=on_progress
        )
    managed = _managed(version) if outcome.status == 0 else None
    if managed is None:
        raise _missing(version, outcome.messages)
    return managed


def _missing(version: str, details: str) -> PythonMissingError:
    why = "it could not be fetched:" if details else "none may be fetched (UV_PYTHON_DOWNLOADS=never)"
    running = "{}.{}".format(*sys.version_info[:2])
    return PythonMissingError(
        f"Python {version} is not on this machine, and {why}",
        details=details,
        hint=f"Install Python {version}, or set python_version in cog.yaml to one that is here, such as {running}.",
    )
