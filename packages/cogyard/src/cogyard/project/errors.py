"""What can be wrong with a project.

CogyardError
└── ProjectError          every problem of a project's files, all at once
    ├── ProjectMissingError   there is no cog.yaml here
    └── NotInSourceError      the model's code, once it runs, may tell what its source does not
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cogyard.errors import CogyardError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to mend (or, as a warning, to know), and where. Lines and columns count from 1."""

    message: str
    file: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    @property
    def place(self) -> str:
        """`cog.yaml:3:5`, as editors and terminals link it."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def saying(self, message: str, hint: str | None = None) -> Problem:
        """Return another problem of the same place."""
        return msgspec.structs.replace(self, message=message, hint=hint)

    def __str__(self) -> str:
        """Return the place, what is wrong and, on a line of its own, what to do."""
        text = f"{self.place}: {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text


class ProjectError(CogyardError):
    """The project's files cannot be used as they are; `problems` holds every reason."""

    code = "project_invalid"
    http_status = 422

    def __init__(self, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        """Take all problems found, in the order of the file."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), hint=hint)


class ProjectMissingError(ProjectError):
    """There is no project here."""

    code = "project_missing"


class NotInSourceError(ProjectError):
    """What the model takes or returns shows only when its code runs."""

    code = "schema_not_in_source"
