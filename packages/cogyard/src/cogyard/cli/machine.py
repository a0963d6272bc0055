"""What `cog doctor` asks of this machine: Python, uv, a container engine, a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cogyard.environment import PythonMissingError, find_python
from cogyard.project import Problem, Project
from cogyard.project.doctor import Finding, Level

#: The checks of the machine, in the order of the report.
CHECKS = ("python", "uv", "containers", "gpu")
_GPU_DEVICES = (Path("/dev/nvidia0"), Path("/dev/dxg"))


def examine(project: Project | None) -> Iterator[Finding]:
    """Yield what is missing here; what is only needed for something particular is a note."""
    if project is not None:
        yield from _python(project)
    yield from _uv()
    yield from _engine(project)
    if project is not None and project.gpu and not any(device.exists() for device in _GPU_DEVICES):
        yield _finding(
            "gpu",
            Level.WARNING,
            "cog.yaml says gpu: true, and this machine shows no GPU",
            "The model may run slowly here, or not at all.",
        )


def _python(project: Project) -> Iterator[Finding]:
    try:
        find_python(project.python_version, fetch=False)
    except PythonMissingError as error:
        never = os.environ.get("UV_PYTHON_DOWNLOADS") == "never"
        yield _finding(
            "python",
            Level.ERROR if never else Level.NOTE,
            f"Python {project.python_version} is not on this machine",
            error.hint if never else "It is fetched when the model first runs.",
        )


def _uv() -> Iterator[Finding]:
    import uv

    try:
        uv.find_uv_bin()
    except FileNotFoundError:
        yield _finding(
            "uv", Level.ERROR, "uv, which makes the environments, is not there", "Install cogyard again."
        )


def _engine(project: Project | None) -> Iterator[Finding]:
    from cogyard import engine

    client = engine.find("auto")
    if client is not None:
        return
    if project is not None and project.run:
        yield _finding(
            "containers",
            Level.WARNING,
            "cog.yaml has build steps of its own (run), and no container engine answers here",
            "Start Docker or podman to build the image.",
        )
        return
    yield _finding(
        "containers",
        Level.NOTE,
        "neither Docker nor podman answers here",
        "They are needed only to run images of registries, and with --engine.",
    )


def _finding(check: str, level: Level, message: str, hint: str | None) -> Finding:
    return Finding(check=check, level=level, problem=Problem(file="this machine", message=message, hint=hint))
