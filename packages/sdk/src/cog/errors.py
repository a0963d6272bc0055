"""Every error the SDK raises on purpose, named for whose fault it is.

CogError
├── SchemaError    the author's signature cannot be turned into a schema
│   └── NotInSourceError   its source alone does not tell; the code, once it runs, may
├── LoadError      the author's file or reference does not load
├── InputError     the caller's input does not fit the signature
└── OutputError    the author's predictor returned what cannot be sent

CancelationException is no error: it ends a prediction that somebody canceled.
"""

from __future__ import annotations


class CogError(Exception):
    """Something went wrong that a person can do something about."""


class SchemaError(CogError):
    """The signature cannot be described; the message says where and what to write instead.

    `problem` and `hint` are sentences, `path` is relative to the project where it is known, `line` counts from 1.
    """

    def __init__(
        self, problem: str, *, hint: str | None = None, path: str | None = None, line: int | None = None
    ) -> None:
        """Join place, problem and hint into one message."""
        place = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(f"{place}{problem}" + (f"\n  {hint}" if hint else ""))
        self.problem = problem
        self.hint = hint
        self.path = path
        self.line = line

    def within(self, what: str) -> SchemaError:
        """Return the same error, said of `what`."""
        return type(self)(f"{what}: {self.problem}", hint=self.hint, path=self.path, line=self.line)

    def at(self, path: str | None, line: int | None) -> SchemaError:
        """Return the same error with a place, unless it has one already."""
        if self.path is not None:
            return self
        return type(self)(self.problem, hint=self.hint, path=path, line=line)


class NotInSourceError(SchemaError):
    """The source alone does not tell the signature: a value or a type shows only when the code runs."""


class LoadError(CogError):
    """The reference to a predictor does not lead to one."""


class InputError(CogError):
    """An input does not fit the signature; `name` is the input's."""

    def __init__(self, name: str, problem: str) -> None:
        """Say which input and what is wrong with it."""
        super().__init__(f"input {name!r}: {problem}")
        self.name = name
        self.problem = problem


class OutputError(CogError):
    """What the predictor returned cannot be sent as its output."""


class CancelationException(BaseException):
    """Raised inside a sync predict() when its prediction is canceled.

    Clean up and let it go on: a prediction that swallows it is reported as canceled all the same.
    """
