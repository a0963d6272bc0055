"""The one place that runs uv."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

Progress = Callable[[str], None]
"""Told one line of text whenever there is something to say."""

_CREDENTIALS = re.compile(r"(\w+://)[^/\s@]+@")
_WORTH_SHOWING = ("Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed")
_NOT_INHERITED = frozenset(
    {
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "UV_PYTHON",
        "UV_PROJECT",
        "UV_WORKING_DIRECTORY",
        "PYTHONHOME",
        "PYTHONPATH",
    }
)

#: Another thread reads Python's own configuration in some hundredths of a second.
_LOOKS, _BETWEEN_LOOKS = 500, 0.01


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How uv ended: its exit status (1: no solution; 2: anything else), stdout, and what it said."""

    status: int
    output: str
    messages: str


def redacted(text: str) -> str:
    """Return text with the user and password of every address in it hidden."""
    return _CREDENTIALS.sub(r"\1***@", text)


def silent(_: str) -> None:
    """Report nothing."""


def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    on_progress: Progress = silent,
) -> Outcome:
    """Run uv in `folder` to its end, passing on its lines as they come. Ctrl-C ends it too.

    `settings` are variables of uv's for this run.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    environment |= settings or {}
    environment |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PREVIEW_FEATURES": "pylock"}
    process = subprocess.Popen(
        [binary(), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    lines: list[str] = []
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for
            for line in process.stdout:
                text = redacted(line.rstrip())
                lines.append(text)
                if text.strip().startswith(_WORTH_SHOWING):
                    on_progress(text.strip())
        except BaseException:
            process.terminate()
            raise
    return Outcome(status=process.returncode, output="\n".join(lines), messages=_tidy(lines))


@cache
def version() -> str:
    """Return uv's version, a part of cache keys."""
    from cogyard.environment import installed

    return installed.version("uv")


@cache
def binary() -> str:
    """Return where the uv is that came with us."""
    import sysconfig

    import uv

    # Before Python 3.12 a thread that asks for these variables while another one is the first to do so finds some of
    # them only, and uv's own search breaks at the lack of this one.
    for _ in range(_LOOKS):
        if sysconfig.get_config_var("EXE") is not None:
            break
        time.sleep(_BETWEEN_LOOKS)
    return uv.find_uv_bin()


def _tidy(lines: Sequence[str]) -> str:
    kept = [line for line in lines if line.strip()]
    return "\n".join(f"  {line}" for line in kept[-40:])
