"""pyproject.toml as the source of a model's packages: what of it we look at ourselves; uv reads the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cogyard.project.document import decode, shorten
from cogyard.project.errors import Problem, ProjectError

PYPROJECT_NAME = "pyproject.toml"
UV_LOCK_NAME = "uv.lock"
_POETRY_HINT = "Poetry writes a [project] table since 2.0; or export: poetry export -o requirements.txt."


class Pyproject(msgspec.Struct, frozen=True, kw_only=True):
    """A pyproject.toml that names packages; `lock` is the uv.lock beside it, where there is one."""

    path: Path
    name: str
    dependencies: tuple[str, ...]
    lock: Path | None = None

    @property
    def names(self) -> str:
        """The files' names, for messages."""
        return f"{self.path.name} and {self.lock.name}" if self.lock else self.path.name


def read_pyproject(path: Path, python: str) -> Pyproject:
    """Read the file for a model that runs on `python` ("3.12"); raise ProjectError with every problem there is."""
    name = path.name
    document = _document(path)
    table = document.get("project")
    if not isinstance(table, Mapping):
        raise ProjectError([_no_project(document, name)])
    text = path.read_text("utf-8-sig")
    lock = path.with_name(UV_LOCK_NAME)
    problems = [*_dependencies(table, text, name), *_python(table, text, name, python)]
    dynamic = table.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic and not lock.is_file():
        message = "`dependencies` is dynamic: only building the project would tell them, which is not done"
        hint = "Write them into [project], or let uv.lock stand beside it: `uv lock`."
        problems.append(_at(text, name, "dynamic", message, hint))
    if problems:
        raise ProjectError(problems)
    return Pyproject(
        path=path,
        name=str(table.get("name", "")),
        dependencies=tuple(table.get("dependencies", [])),
        lock=lock if lock.is_file() else None,
    )


def names_packages(path: Path) -> bool:
    """Whether there is a pyproject.toml with a `[project]` table: one that only configures tools names none."""
    try:
        return path.is_file() and isinstance(_document(path).get("project"), Mapping)
    except ProjectError:
        return False


def passed_over(path: Path) -> Problem | None:
    """Return a warning for what names packages and is not read: what only Poetry looks at, and a lone uv.lock."""
    lock = path.with_name(UV_LOCK_NAME)
    if not path.exists() and lock.is_file():
        message = f"is not read without the {path.name} it was made from: the model gets none of its packages"
        hint = f"Put {path.name} beside it. Or say that the model needs none: python_packages: []"
        return Problem(file=lock.name, message=message, hint=hint)
    try:
        document = _document(path) if path.is_file() else {}
    except ProjectError:
        return None
    tools = document.get("tool")
    poetry = tools.get("poetry") if isinstance(tools, Mapping) else None
    if "project" in document or not isinstance(poetry, Mapping) or not poetry.get("dependencies"):
        return None
    message = "names packages in [tool.poetry.dependencies], which are not read: the model gets none of them"
    hint = f"{_POETRY_HINT} Or say that it needs none: python_packages: []"
    return Problem(file=path.name, message=message, hint=hint)


def _document(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(decode(path.read_bytes(), path.name))
    except OSError as error:
        raise ProjectError([Problem(file=path.name, message=f"cannot be read: {error.strerror}")]) from error
    except tomllib.TOMLDecodeError as error:
        problem = Problem(
            file=path.name,
            line=getattr(error, "lineno", None),  # told since Python 3.14; before, it stands in the text
            column=getattr(error, "colno", None),
            message=f"is not valid TOML: {error}",
        )
        raise ProjectError([problem]) from error


def _no_project(document: Mapping[str, Any], name: str) -> Problem:
    tools = document.get("tool")
    poetry = isinstance(tools, Mapping) and "poetry" in tools
    hint = (
        _POETRY_HINT if poetry else 'Add [project] with name, version and dependencies = ["numpy==2.3.0", …].'
    )
    return Problem(file=name, message="has no [project] table, so it names no packages", hint=hint)


def _dependencies(table: Mapping[str, Any], text: str, name: str) -> list[Problem]:
    from packaging.requirements import InvalidRequirement, Requirement

    listed = table.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        return [_at(text, name, "dependencies", "`dependencies` must be a list of texts")]
    problems = []
    for one in listed:
        try:
            Requirement(one)
        except InvalidRequirement:
            message = f"`{shorten(one)}` is not a requirement"
            hint = "Write `name`, `name==1.2.3` or `name>=1,<2`."
            problems.append(_at(text, name, one, message, hint))
    return problems


def _python(table: Mapping[str, Any], text: str, name: str, python: str) -> list[Problem]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = table.get("requires-python")
    if wanted is None or not python:
        return []
    try:
        allowed = SpecifierSet(str(wanted))
    except InvalidSpecifier:
        message = f"requires-python is `{shorten(str(wanted))}`, which is not a range of versions"
        return [_at(text, name, "requires-python", message, 'For example: requires-python = ">=3.11"')]
    # any patch release of the minor version will do
    if any(allowed.contains(f"{python}.{patch}") for patch in (*range(40), 99)):
        return []
    message = f"requires-python is `{wanted}`, and cog.yaml says python_version {python}"
    return [_at(text, name, "requires-python", message, "Change one of the two.")]


def _at(text: str, name: str, word: str, message: str, hint: str | None = None) -> Problem:
    """Return a problem at the first place of `word`; TOML's own reader keeps no places."""
    found = re.search(re.escape(word), text)
    if found is None:
        return Problem(file=name, message=message, hint=hint)
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - (text.rfind("\n", 0, found.start()) + 1) + 1
    return Problem(file=name, line=line, column=column, message=message, hint=hint)
