"""What ends a command, and with which exit status.

CogyardError
└── CommandError      a command cannot do what it was asked (exit status 1)
    └── MisuseError   the command was called wrongly (exit status 2)
"""

from __future__ import annotations

from cogyard.errors import CogyardError

EXIT_STATUSES = {
    0: "the command did what it was asked",
    1: "it failed; the message says why and what to do",
    2: "it was called wrongly: an unknown command or option, an input that does not fit",
    3: "`cogyard status`: no platform runs on the folder",
    126: "`cog exec`: the command cannot be run; else `cog exec` ends with the command's own status",
    127: "`cog exec`: there is no such command",
    130: "it was ended with Ctrl-C",
    143: "it was ended with SIGTERM",
}


class CommandError(CogyardError):
    """A command cannot do what it was asked."""

    code = "command_failed"


class MisuseError(CommandError):
    """A command was called wrongly."""

    code = "misuse"
    exit_status = 2


class SilentExitError(CommandError):
    """End with a status; everything has been said already."""

    def __init__(self, exit_status: int) -> None:
        """Take the status to end with."""
        super().__init__("")
        self.exit_status = exit_status
