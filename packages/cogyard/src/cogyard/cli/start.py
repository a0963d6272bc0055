"""Where the commands begin: importing this takes no time, so Ctrl-C is heard from the first moment.

What comes next imports a good deal. An interruption in the middle of an import must end a command as quietly as any
other, with 130, and one that comes when all is done must not undo its exit status.
"""

from __future__ import annotations

import gc
import sys

INTERRUPTED = 130

_RARELY = 50_000
"""Objects after which `cog` looks for garbage. Its imports alone make Python look dozens of times, and find none."""


def cog() -> None:
    """Run the command line `cog`."""
    gc.set_threshold(_RARELY)
    _start("cog")


def cogyard() -> None:
    """Run the command line `cogyard`."""
    _start("cogyard")


def _start(command: str) -> None:
    try:
        from importlib import import_module

        _soften_output()
        import_module(f"cogyard.cli.{command}").main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        import signal  # which takes a moment, too

        # Everything has been said and written; the interpreter's own end is nobody's business.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Nor need it look through all that was imported for garbage, which takes a tenth of a short command.
        gc.freeze()


def _soften_output() -> None:
    """Let no letter that the locale lacks end a command, such as a tick: stdout has it as stderr does, or as UTF-8."""
    output = sys.stdout
    if output is None:  # `>&-`
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115 - for as long as the command runs
    elif output.encoding.lower() == "ascii":  # which says nothing of what a terminal shows
        output.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]  # a real stream
    elif output.errors == "strict":
        output.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a real stream
