"""Run a command to its end: one place turns every failure into a message and an exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cogyard.cli.console import Console
from cogyard.errors import CogyardError

if TYPE_CHECKING:
    from cog_server.errors import ServerError

T = TypeVar("T")

INTERRUPTED = 130
TERMINATED = 143
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
BROKEN_PIPE = 1  # as click ends when it meets it first


class TerminatedError(SystemExit):
    """SIGTERM came; unwinds the stack as Ctrl-C does, so that children end and temporary files go.

    A SystemExit, because asyncio's callbacks let only that and KeyboardInterrupt through.
    """


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; SIGTERM cancels it in order, as Ctrl-C does in `asyncio.run`."""
    terminated = False

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel()

        loop.add_signal_handler(signal.SIGTERM, terminate)
        try:
            return await main
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            _handle_sigterm()

    import asyncio

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if terminated:
            raise TerminatedError from None
        raise


def run(group: click.Command, name: str) -> int:
    """Run the command line and return the exit status; no traceback reaches a user unless COG_DEBUG is set."""
    console = Console()
    _handle_sigterm()
    try:
        status = _run(group, name, console)
    except KeyboardInterrupt:
        console.say("Stopped.")  # click has ended the line that ^C stands on
        status = INTERRUPTED
    except TerminatedError:
        status = TERMINATED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): Python's own flush at exit must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    return status


def _run(group: click.Command, name: str, console: Console) -> int:
    try:
        result = group.main(prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except CogyardError as error:
        if error.message:
            console.error(error.message, error.hint)
        return error.exit_status
    except click.Abort as error:  # click's word for Ctrl-C
        raise KeyboardInterrupt from error
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        console.error(error.format_message(), _help_hint(error))
        return error.exit_code
    except Exception as error:
        known = _known(error)
        if known is not None:
            console.error(*known)
            return 1
        if os.environ.get("COG_DEBUG"):
            raise
        where = f"{type(error).__name__}: {error}"
        console.error(
            f"this is a defect of {name} itself: {where}", "COG_DEBUG=1 shows where; please report it."
        )
        return 1
    return result if isinstance(result, int) else 0


def _help_hint(error: click.ClickException) -> str | None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"`{context.command_path} --help` says how it is called." if context is not None else None


def _known(error: Exception) -> tuple[str, str | None] | None:
    """Return message and hint of an error that is no defect of ours."""
    if isinstance(error, OSError) and error.errno in _FULL:
        place = f"that holds {error.filename}" if error.filename else "that the output goes to"
        return f"no room is left on the disk {place}", "Make room, and run it again."
    if isinstance(error, OSError) and error.errno in _REFUSED and error.filename:
        return f"{error.filename} cannot be used: {error.strerror}", "Is it yours to read, and to write?"
    served = _of_the_server(error)
    return (served.message, served.hint) if served is not None else None


def _of_the_server(error: Exception) -> ServerError | None:
    """Return the error when it is one the model server raises on purpose; it is imported when it can be."""
    if not type(error).__module__.startswith("cog_server."):
        return None
    from cog_server.errors import ServerError

    return error if isinstance(error, ServerError) else None


def _handle_sigterm() -> None:
    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    signal.signal(signal.SIGTERM, terminate)
