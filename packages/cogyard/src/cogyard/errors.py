"""The root of every error this package raises on purpose.

CogyardError
└── one class per failure, defined in the room that raises it and named for whose fault it is
"""

from __future__ import annotations


class CogyardError(Exception):
    """Something went wrong that a person can do something about.

    `code` is a stable word for machines, `exit_status` what a command ends with, `http_status` what the API answers.
    """

    code: str = "error"
    exit_status: int = 1
    http_status: int = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Say what happened, with the value and the limit in it; `hint` says what to do next."""
        super().__init__(message)
        self.message = message
        self.hint = hint
