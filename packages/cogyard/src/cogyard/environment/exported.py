"""A model's packages out of its uv.lock: exactly what `uv sync` installs, for one target; no index is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cogyard.environment import pylock, uv
from cogyard.environment.errors import UnresolvableError
from cogyard.environment.python import any_python, find_python
from cogyard.environment.target import Target
from cogyard.project.pyproject import Pyproject
from cogyard.project.requirements import OWN


def export(pyproject: Pyproject, target: Target, on_progress: uv.Progress = uv.silent) -> pylock.Table:
    """Return the lock of a project's uv.lock for a target, without the project itself, its groups and our SDK.

    Raises UnresolvableError when uv.lock does not match pyproject.toml; PythonMissingError when no Python is here
    that the project allows.
    """
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        arguments = ["--format", "pylock.toml", "--output-file", "pylock.toml"]
        _export(pyproject, target, folder, arguments, on_progress)
        document = pylock.parse((folder / "pylock.toml").read_text("utf-8"))
        return pylock.for_target(document, target, folder)


def annotated(pyproject: Pyproject, target: Target) -> tuple[str, tuple[str]]:
    """Return the same packages as a list in which each says who wants it, and the project's own name in it."""
    with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
        arguments = ["--format", "requirements.txt", "--no-hashes"]
        return _export(pyproject, target, Path(folder), arguments, uv.silent), (pyproject.name,)


def indexes(pyproject: Pyproject, target: Target) -> dict[str, str]:
    """Return the index that each package came from, by name."""
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        arguments = ["--format", "pylock.toml", "--output-file", "pylock.toml"]
        _export(pyproject, target, folder, arguments, uv.silent)
        document = pylock.parse((folder / "pylock.toml").read_text("utf-8"))
    return {str(one["name"]): str(one["index"]) for one in document.get("packages", []) if "index" in one}


def _export(
    pyproject: Pyproject, target: Target, folder: Path, arguments: Sequence[str], on_progress: uv.Progress
) -> str:
    python, fits = any_python(target.python)
    if not fits:  # uv reads a project only with a Python that its requires-python allows
        python = find_python(target.python, on_progress=on_progress)
    own = ["export", "--quiet", "--locked", "--no-header", "--no-emit-project", "--no-dev"]
    own += ["--project", str(pyproject.path.parent), "--python", str(python)]
    own += [part for name in sorted(OWN) for part in ("--prune", name)]
    outcome = uv.run([*own, *arguments], folder=folder)
    if outcome.status != 0:
        raise UnresolvableError(
            f"the packages of {pyproject.names} cannot be taken:",
            details=outcome.messages,
            hint="`uv lock` brings uv.lock up to date with pyproject.toml.",
        )
    return outcome.output
