"""What `cog doctor` says about cog.lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cogyard.environment import CogLock, LockInvalidError, asked_of, lock_path, read_lock
from cogyard.project import Problem, Project
from cogyard.project.doctor import Finding, Level

#: The check's name in the report.
CHECKS = ("lock",)
_HINT = "`cog lock` brings it up to date."


def examine(project: Project) -> Iterator[Finding]:
    """Yield what is wrong with the project's lock; one that is not there is nothing wrong."""
    name = lock_path(project).name
    try:
        kept = read_lock(project)
    except LockInvalidError as error:
        yield _finding(Level.ERROR, name, error.message.removeprefix(f"{name} "), error.hint)
        return
    for change in _changes(project, kept):
        yield _finding(Level.WARNING, name, f"is stale: {change}", _HINT)


def settled(project: Project, findings: Iterable[Finding]) -> list[Finding]:
    """Leave out that a requirement may be another version on another day, where cog.lock says which it is."""
    try:
        kept = read_lock(project)
    except LockInvalidError:
        kept = None
    locked = kept is not None and not _changes(project, kept)
    return [
        one
        for one in findings
        if not (locked and one.check == "requirements" and one.mendable and not one.edit)
    ]


def _changes(project: Project, kept: CogLock | None) -> list[str]:
    return kept.changes(asked_of(project)) if kept is not None else []


def _finding(level: Level, name: str, message: str, hint: str | None) -> Finding:
    return Finding(check="lock", level=level, problem=Problem(file=name, message=message, hint=hint))
