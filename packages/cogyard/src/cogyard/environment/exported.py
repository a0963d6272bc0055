"""A model's packages out of its uv.lock: exactly what `uv sync` installs, for one target; no index is asked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cogyard.environment import pylock, uv
from cogyard.environment.errors import UnresolvableError
from cogyard.environment.python import any_python, find_python
from cogyard.environment.target import Target
from cogyard.project.pyproject import Pyproject
from cogyard.project.requirements import OWN


def export(pyproject: Pyproject, target: Target, on_progress: uv.Progress = uv.silent) -> str:
    """Return the pylock.toml of a project's uv.lock for a target, without the project itself, its groups and our SDK.

    Raises UnresolvableError when uv.lock does not match pyproject.toml; PythonMissingError when no Python is here
    that the project allows.
    """
    python, fits = any_python(target.python)
    if not fits:  # uv reads a project only with a Python that its requires-python allows
        python = find_python(target.python, on_progress=on_progress)
    arguments = ["export", "--quiet", "--locked", "--format", "pylock.toml", "--no-header"]
    arguments += [
        "--no-emit-project",
        "--no-dev",
        "--project",
        str(pyproject.path.parent),
        "--python",
        str(python),
    ]
    arguments += [part for name in sorted(OWN) for part in ("--prune", name)]
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        outcome = uv.run([*arguments, "--output-file", "pylock.toml"], folder=folder)
        if outcome.status != 0:
            raise UnresolvableError(
                f"the packages of {pyproject.names} cannot be taken:",
                details=outcome.messages,
                hint="`uv lock` brings uv.lock up to date with pyproject.toml.",
            )
        document = pylock.parse((folder / "pylock.toml").read_text("utf-8"))
        machine = target.machine
        if machine is None:
            return pylock.render(pylock.absolute(document, folder))
        return pylock.render(pylock.narrowed(document, machine, folder))
