"""What predict and serve do first: read the project, make its environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cogyard.cli.console import Console
from cogyard.project import Project, ProjectError, find_root, load_project

if TYPE_CHECKING:
    from cogyard.environment import LocalEnvironment


def open_project(filename: str, console: Console) -> Project:
    """Read the project of the current folder (or one above it) and say what is to be known about it."""
    from cogyard.environment.cache import Memory, cache_dir

    memory = Memory(cache_dir() / "projects")
    project = load_project(find_root(Path.cwd(), filename), filename, memory)
    for warning in project.warnings:
        console.warn(f"{warning.place}: {warning.message}", warning.hint)
    return project


def source_schema(
    project: Project, *, training: bool = False
) -> tuple[Mapping[str, Any] | None, ProjectError | None]:
    """Return the document read from the source, or why the source alone does not tell it (the running model may)."""
    from cogyard.project.schema import static_schema, training_schema

    try:
        return (training_schema if training else static_schema)(project), None
    except ProjectError as error:
        return None, error


def model_schema(
    project: Project, console: Console, *, allowed: Callable[[], None] = lambda: None
) -> Mapping[str, Any]:
    """Return the document of a project: of its source, or where that does not tell, of its code in its environment.

    `allowed` is called before that environment is made, and before anything is said to be wrong.
    Raises ProjectError, PreparingError, and what `allowed` raises.
    """
    from cogyard.project import NotInSourceError

    schema, why = source_schema(project)
    allowed()
    if schema is not None:
        return schema
    if not isinstance(why, NotInSourceError):
        assert why is not None  # noqa: S101 - there is one of the two
        raise why
    problem = why.problems[0]
    console.say(f"{problem.place}: {problem.message}; its code is loaded to know")
    from cogyard.environment import describe

    made = _environment(project, console)
    with console.working(f"Loading {project.ref or project.train_ref}"):
        return describe(project, made, os.environ)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A project whose environment is ready; `name` is its short name for messages."""

    project: Project
    environment: LocalEnvironment

    @property
    def name(self) -> str:
        """The first digits of the environment's key."""
        return self.environment.root.name[:12]

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the model's variables: its environment's, those of cog.yaml, those of the command line."""
        return {**self.environment.variables(os.environ), **self.project.environment, **given}


def quiet_server() -> None:
    """Keep the model server's own log out of a command's messages; COG_DEBUG shows it."""
    if not os.environ.get("COG_DEBUG"):
        logging.getLogger("cog_server").addHandler(logging.NullHandler())


def prepare(project: Project, console: Console) -> Prepared:
    """Make the environment of cog.yaml on this machine, showing how it goes, and put its weights in place."""
    quiet_server()
    if project.config.weights:
        from cogyard.cli.placing import place_in_project

        place_in_project(project, console)
    environment = _environment(project, console)
    if project.system_packages or project.run:
        console.say(
            "  system_packages and run commands belong to the image; here this machine's own are used."
        )
    return Prepared(project=project, environment=environment)


def _environment(project: Project, console: Console) -> LocalEnvironment:
    from cogyard.environment import Target, lock_for, make_environment

    text = f"Building environment from {project.described}"
    with console.working(text) as step:
        target = Target(python=project.python_version)
        lock = lock_for(project, target, on_progress=step.detail, on_stale=console.warn)
        environment = make_environment(lock, on_progress=step.detail)
    for warning in lock.warnings:
        console.warn(warning)
    packages = len(lock.packages)
    plural = "" if packages == 1 else "s"
    origin = f" of {lock.origin}" if lock.origin else ""
    console.done(f"{text}... Python {lock.python}, {packages} package{plural}{origin}")
    return environment
