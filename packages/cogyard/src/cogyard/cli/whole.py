"""The file that a command writes: whole or not at all, and never in the place of something else.

What is written beside a file and renamed takes the place of whatever has that name: as root of /dev/null, of a named
pipe that somebody reads, of a link. So a link stays one, and what is no file is written to as it is.
"""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: `/dev/stdout` is a file too where the shell has sent it to one, which goes on writing to that very file.
_SYSTEM = (Path("/dev"), Path("/proc"))


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to fill; it has its name when the block ends well, and is gone when it does not.

    Raises OSError.
    """
    if _as_it_is(path):
        with path.open("wb") as file:
            yield file
        return
    real = path.resolve()
    part = real.with_name(f".{real.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(real)
    finally:
        part.unlink(missing_ok=True)


def _as_it_is(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    inside = any(path.absolute().is_relative_to(each) for each in _SYSTEM)
    return not stat.S_ISDIR(mode) and (inside or not stat.S_ISREG(mode))
