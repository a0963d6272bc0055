"""Telling the author what their code raised: on stderr, without our own frames in it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from types import TracebackType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_IMPORT = "<frozen importlib"
_REMEDY = (
    "A package is named in `python_packages` of cog.yaml or in its requirements file; "
    "a module of your own stands beside cog.yaml."
)


def print_traceback(error: BaseException) -> None:
    """Write the traceback of an error of the author's to stderr."""
    import traceback

    # The author may have closed or replaced stderr; that must not take the answer away.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        traceback.print_exception(type(error), error, _authors(error.__traceback__))


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error of the author's."""
    import traceback

    try:
        return "".join(traceback.format_exception(type(error), error, _authors(error.__traceback__)))
    except Exception:  # noqa: BLE001 - a broken __str__ of the author's must not take the answer away
        return f"{type(error).__name__}\n"


def message(error: BaseException) -> str:
    """Return the error's text, or its class name when it has none."""
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - a broken __str__ of the author's must not take the answer away
        text = ""
    return text or type(error).__name__


def setup_message(error: BaseException) -> str:
    """Return what to say of a failed setup: the error's text, and of a module that is not there where to name it."""
    text = message(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{text}\n  {_REMEDY}"
    return text


def flush() -> None:
    """Send what Python, and C as far as we can tell, hold back of stdout and stderr to the pipes."""
    if "ctypes" in sys.modules:
        _c_flush()()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):  # the author closed or replaced it
            continue


@functools.cache
def _c_flush() -> Callable[[], object]:
    """Return what sends on the text that C code has printed: on a pipe its stdout waits until 4 KiB are together.

    Asked for only where ctypes is loaded anyway, as by numpy and every framework on it: the import would cost more than
    it gives.
    """
    import ctypes

    try:
        libc = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        # This stream alone: fflush(NULL) would wait for every stream that another thread is reading.
        return functools.partial(libc.fflush, ctypes.c_void_p.in_dll(libc, name))
    except (OSError, AttributeError, ValueError):
        return lambda: None


def _authors(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames in front that are ours or the import system's; a file that does not parse has no others."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith((_OURS, _IMPORT)):
            return traceback
        traceback = traceback.tb_next
    return None
