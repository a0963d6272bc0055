"""The platform's folder: what is where in it, who holds it, and what an ended platform left behind."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cogyard.errors import CogyardError
from cogyard.instances.orphans import kill_marked
from cogyard.weights.files import WeightFiles

#: Unix socket paths are short; a folder deep down has its sockets elsewhere.
_LONGEST_SOCKETS = 60
#: Whoever only asks whether the folder is held has it for an instant.
_TRIES, _BETWEEN_TRIES = 5, 0.05
#: Seconds after which weights that no instance has wanted are unpacked again when one does.
_WEIGHTS_UNUSED = 30 * 86400.0


class DataDirError(CogyardError):
    """The data folder can't be used."""

    code = "data_dir_unusable"


class PlatformRunningError(DataDirError):
    """Another platform holds the data folder."""

    code = "platform_running"


@dataclass(frozen=True, slots=True)
class DataDir:
    """The folder and the places in it."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "cogyard.db"

    @property
    def handovers(self) -> Path:
        """Which predictions were handed over to a model."""
        return self.root / "handovers"

    @property
    def images(self) -> Path:
        """What was pushed, by digest."""
        return self.root / "images"

    @property
    def files(self) -> Path:
        """Inputs and outputs, by digest."""
        return self.root / "files"

    @property
    def secret(self) -> Path:
        """What sessions and tokens are signed with."""
        return self.root / "secret"

    @property
    def layers(self) -> Path:
        """Unpacked layers, shared by instances."""
        return self.root / "layers"

    @property
    def image_layers(self) -> Path:
        """Layers unpacked as parts of a root, shared by sandboxes."""
        return self.root / "image-layers"

    @property
    def weights(self) -> Path:
        """Files of weights, and folders of links to them, shared by instances."""
        return self.root / "weights"

    @property
    def roots(self) -> Path:
        """Whole roots of versions, where there is no overlayfs."""
        return self.root / "roots"

    @property
    def instances(self) -> Path:
        """A folder for each instance that lives."""
        return self.root / "instances"

    @property
    def home(self) -> Path:
        """HOME of the models."""
        return self.root / "home"

    @property
    def history(self) -> Path:
        """How instances fared: setup logs and ends."""
        return self.root / "history"

    @property
    def upgrades(self) -> Path:
        """Copies of the database, made before it was upgraded."""
        return self.root / "before-upgrades"

    @property
    def lock_file(self) -> Path:
        """Held by the platform that runs here; says who it is."""
        return self.root / "platform.lock"

    @property
    def status_file(self) -> Path:
        """What the platform that runs here last said of itself."""
        return self.root / "status.json"

    @property
    def mark(self) -> str:
        """What the processes of this platform carry in their environment."""
        return hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:16]

    @property
    def sockets(self) -> Path:
        """Where model servers listen: in the folder, or, when its path is too long, in one of our own nearby."""
        inside = self.root / "sockets"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKETS:
            return inside
        return Path(tempfile.gettempdir()) / f"cogyard-{os.getuid()}-{self.mark}"

    def make(self) -> Self:
        """Make the folder when it is not there; raise DataDirError when it can't be written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                return self
        except OSError as error:
            # What the system says of a file in the way ("File exists") names neither the file nor what is wrong.
            if (in_the_way := _file_above(self.root)) is not None:
                raise DataDirError(
                    f"The data folder {self.root} cannot be made: {in_the_way} is a file, not a folder.",
                    hint="Name a folder with --data-dir, or move the file away.",
                ) from error
            raise DataDirError(
                f"The data folder {self.root} cannot be written: {error.strerror}.",
                hint="Name another one with --data-dir, or change its owner.",
            ) from error

    def exists(self) -> bool:
        """Say whether a platform has ever been started here."""
        return self.database.is_file()


class Hold:
    """The lock on a data folder, kept until `release` or the end of the process."""

    def __init__(self, handle: int, folder: DataDir) -> None:
        self._handle = handle
        self.folder = folder

    @classmethod
    def take(cls, folder: DataDir) -> Self:
        """Take the folder, or raise PlatformRunningError naming who has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(folder.lock_file, flags, 0o600)
        for _ in range(_TRIES):
            if _lock(handle):
                return cls(handle, folder)
            time.sleep(_BETWEEN_TRIES)
        os.close(handle)
        holder = read_holder(folder)
        where = f" at {holder['address']}" if holder.get("address") else ""
        raise PlatformRunningError(
            f"A platform already runs on {folder.root}{where} (process {holder.get('pid', 'unknown')}).",
            hint="Use that one, stop it, or name another folder with --data-dir.",
        )

    def describe(self, fields: Mapping[str, Any]) -> None:
        """Write down who holds the folder."""
        text = json.dumps(fields).encode()
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text, 0)

    def clean(self) -> int:
        """End processes and remove files that an earlier platform left; return how many processes there were."""
        orphans = kill_marked(f"{self.folder.mark}/")
        shutil.rmtree(self.folder.instances, ignore_errors=True)
        for place in (self.folder.layers, self.folder.image_layers, self.folder.roots, self.folder.weights):
            for unfinished in place.glob("unfinished-*"):
                shutil.rmtree(unfinished, ignore_errors=True)
        # Now no instance reads any; later a set may be mounted that was last asked for long ago.
        WeightFiles(self.folder.weights).collect((), older_than=_WEIGHTS_UNUSED)
        sockets = self.folder.sockets
        shutil.rmtree(sockets, ignore_errors=True)
        sockets.mkdir(mode=0o700, parents=True)
        found = sockets.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            raise DataDirError(f"The folder {sockets} belongs to somebody else.")
        for folder in (self.folder.instances, self.folder.layers, self.folder.home, self.folder.history):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.status_file.unlink(missing_ok=True)
        return orphans

    def release(self) -> None:
        """Give the folder free; no process of its instances outlives that."""
        kill_marked(f"{self.folder.mark}/")
        self.folder.status_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder.sockets, ignore_errors=True)
        os.close(self._handle)


def is_held(folder: DataDir) -> bool:
    """Say whether a platform runs on the folder."""
    try:
        handle = os.open(folder.lock_file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _file_above(path: Path) -> Path | None:
    """Return what is no folder, of a path and those above it; None when it is not that."""
    try:
        return next((each for each in (path, *path.parents) if each.exists() and not each.is_dir()), None)
    except OSError:  # We may not look there.
        return None


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read_holder(folder: DataDir) -> dict[str, Any]:
    """Return what the holder, or the last one, wrote about itself; empty when that can't be read."""
    try:
        found = json.loads(folder.lock_file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
