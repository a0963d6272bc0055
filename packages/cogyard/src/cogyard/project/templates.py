"""The files that `cog init` writes: a small model that runs as it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from cogyard.project.errors import Problem, ProjectError

NAMES = {
    "cog.yaml": "cog.yaml",
    "predict.py": "predict.py.txt",
    ".dockerignore": "dockerignore",
    "requirements.txt": "requirements.txt",
}
"""Each file of a new project, and the resource it is made from."""


def write(folder: Path) -> Iterator[tuple[str, bool]]:
    """Write the files of a new project, yielding each name and whether it was written; none is overwritten."""
    for name, resource in NAMES.items():
        yield name, _create(folder / name, render(resource, folder))


def render(resource: str, folder: Path) -> str:
    """Return a file's text for a project in `folder`."""
    text = files("cogyard.project").joinpath("template", resource).read_text("utf-8")
    values = {"python": "{}.{}".format(*sys.version_info[:2]), "name": _name(folder)}
    return re.sub(r"\{(python|name)\}", lambda found: values[found.group(1)], text)


def _create(path: Path, text: str) -> bool:
    begun = False
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            begun = True
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        if begun:
            path.unlink()  # half a file would pass for one of the author's the next time
        problem = Problem(file=path.name, message=f"cannot be written in {path.parent}: {error.strerror}")
        raise ProjectError([problem]) from error
    return True


def _name(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "model"
