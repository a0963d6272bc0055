"""The file by which a script learns that a platform answers, where, and with which token."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cogyard.cli.errors import CommandError

if TYPE_CHECKING:
    from cogyard.compose.welcome import Welcome


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """Where it is written; nowhere without a path."""

    path: Path | None

    def check(self) -> None:
        """See before anything starts that it can be written."""
        if self.path is None:
            return
        try:
            with tempfile.TemporaryFile(dir=self.path.parent):
                return
        except OSError as error:
            raise self._unwritable(error) from error

    def remove(self) -> None:
        """Remove it; not before the folder is ours: it may be that of a platform that runs, and holds its token."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def write(self, welcome: Welcome) -> None:
        """Write it whole, readable by its owner alone: there is a token in it."""
        if self.path is None:
            return
        content = {
            "address": welcome.address,
            "public_address": welcome.public_address,
            "administrator": welcome.administrator,
            "token": welcome.token,
            "link": welcome.link,
            "pid": os.getpid(),
        }
        try:
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(handle, "w") as file:
                json.dump(content, file)
            Path(name).replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> CommandError:
        return CommandError(f"the ready file {self.path} cannot be written: {error.strerror}")
