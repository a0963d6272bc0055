"""Where output files wait for the server to read them: the prediction's own folder."""

from __future__ import annotations

import os
from typing import Any

from cog.errors import OutputError

FILE = "$cog.file"


class Marker(dict[str, Any]):
    """What stands for a file in the output. A class of its own, so that no dict of the author's passes for one."""


class Outbox:
    """One prediction's folder. Every method returns the marker that stands for the file in the output."""

    __slots__ = ("_folder",)

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def take(self, path: os.PathLike[str], *, keep: bool) -> Marker:
        """Bring the author's file in, so that the author's next prediction can't change it before it is read.

        A file in the temporary folder is moved unless `keep`; one elsewhere is copied. Raises OutputError.
        """
        source = os.path.abspath(path)
        name = os.path.basename(source)
        if os.path.isdir(source):
            raise OutputError(f"the output {source} is a folder; return a file, for example a zip of it")
        if not os.path.exists(source):
            raise OutputError(f"the output file {source} does not exist")
        if source.startswith(self._folder + os.sep):
            return _marker(source, name)
        target = self._free(name)
        import shutil
        import tempfile

        temporary = os.path.realpath(source).startswith(os.path.realpath(tempfile.gettempdir()) + os.sep)
        try:
            if temporary and not keep and not os.path.islink(source):
                shutil.move(source, target)
            else:
                shutil.copyfile(source, target)
        except OSError as error:
            raise OutputError(f"the output file {source} can't be read: {error.strerror or error}") from None
        return _marker(target, name)

    def write(self, file: Any) -> Marker:
        """Write down what an open file holds, be it bytes or text. Raises OutputError."""
        name = os.path.basename(str(getattr(file, "name", "") or "output"))
        target = self._free(name)
        try:
            if file.seekable():
                file.seek(0)
            with open(target, "wb") as copy:
                while piece := file.read(1 << 18):
                    copy.write(piece.encode() if isinstance(piece, str) else piece)
        except (OSError, ValueError, TypeError) as error:
            raise OutputError(f"the output file {name} can't be read: {error}") from None
        return _marker(target, name)

    def new(self, name: str) -> tuple[str, Marker]:
        """Return a path for a new file called `name`, and its marker."""
        target = self._free(name)
        return target, _marker(target, name)

    def _free(self, name: str) -> str:
        """Return a path with this name that nothing has taken."""
        target = os.path.join(self._folder, name)
        count = 0
        while os.path.lexists(target):
            count += 1
            folder = os.path.join(self._folder, f".{count}")
            os.makedirs(folder, exist_ok=True)
            target = os.path.join(folder, name)
        return target


def _marker(path: str, name: str) -> Marker:
    return Marker({FILE: {"path": path, "name": name}})
