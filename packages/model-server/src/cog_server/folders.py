"""Folders for predictions: empty when handed out, gone or empty afterwards.

Making and removing a folder for every prediction costs as much as a small prediction itself. A folder that a prediction
never touched is handed out again: its modification time is set to zero when it is made, and the system changes that
whenever an entry comes or goes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cog_server.errors import StartError

_KEPT = 64
_SURE_SECONDS = 1.0
"""How long a folder that was there is not looked for again; cleaners of old files are not that quick."""


class Folders:
    """The folders of one server, below one private folder of its own."""

    def __init__(self, parent: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.root = _root(parent)
        self._count = 0
        self._clock = clock
        self._free: list[tuple[str, float]] = []

    def take(self) -> str:
        """Return the path of an empty folder."""
        while self._free:
            path, seen = self._free.pop()
            if self._clock() - seen < _SURE_SECONDS or os.path.isdir(path):  # noqa: PTH112 - on the path of every prediction
                return path
        self._count += 1
        try:
            return self._make()
        except FileNotFoundError:
            # A cleaner of old files has taken our own folder away.
            self.root = Path(tempfile.mkdtemp(prefix="cogyard-", dir=self.root.parent))
            return self._make()

    def _make(self) -> str:
        path = f"{self.root}/{self._count}"
        os.mkdir(path, 0o700)  # noqa: PTH102 - on the path of every prediction
        os.utime(path, (0, 0))
        return path

    def untouched(self, path: str) -> bool:
        """Take an unused folder back and return True; False when it must be removed (`remove`, which may be slow)."""
        try:
            changed = os.stat(path).st_mtime_ns  # noqa: PTH116 - on the path of every prediction
        except OSError:
            return False
        if changed == 0 and len(self._free) < _KEPT:
            self._free.append((path, self._clock()))
            return True
        return False

    @staticmethod
    def remove(path: str) -> None:
        """Remove a folder and all in it; what cannot be removed (a user's odd permissions) is left to `close`."""
        shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        for folder, _, _ in os.walk(self.root):
            with contextlib.suppress(OSError):
                Path(folder).chmod(0o700)
        shutil.rmtree(self.root, ignore_errors=True)


def _root(parent: Path | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="cogyard-", dir=parent))
    except OSError as error:  # a read-only container, a full disk
        raise StartError(
            f"no folder for the files of predictions can be made: {error.strerror or error}",
            hint="TMPDIR names where; a container with a read-only root needs one, such as `--tmpfs /tmp`.",
        ) from error
