"""A backup of a platform, taken while it runs.

Theory of operation. The database is copied first, as of one moment; then the bytes it speaks of. Those are named by
their content and were durable before the database named them, so whatever the copy needs is there, unless somebody
deleted it in between: then the database is copied again, and what was copied of the bytes stays. A backup is whole
once `backup.json` names its database; it is written last, so a backup that was interrupted is none, and the one that
was in the folder before is still whole. A folder that holds a backup is brought up to date: bytes that are there are
not copied again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cogyard.compose.datadir import DataDir
from cogyard.errors import CogyardError
from cogyard.store.snapshot import Contents, inspect, snapshot

#: Raised when what is in a backup changes its meaning; a program refuses a higher one than it knows.
FORMAT = 1
STORES = ("images", "files")
_CHUNK = 1 << 20
#: The database is copied again this often when bytes were deleted meanwhile; what is missing then is damage.
_TRIES = 3


class BackupError(CogyardError):
    """A backup cannot be made, or is none."""

    code = "backup_unusable"


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """Where a backup lies, and the places in it."""

    root: Path

    @property
    def about(self) -> Path:
        """What makes it a backup."""
        return self.root / "backup.json"

    @property
    def secret(self) -> Path:
        """What sessions are signed with."""
        return self.root / "secret"

    def blob(self, store: str, digest: str) -> Path:
        """Return where bytes lie."""
        name = digest.removeprefix("sha256:")
        return self.root / store / name[:2] / name

    def read(self) -> dict[str, Any]:
        """Return what the backup says of itself. Raises BackupError when there is none."""
        try:
            found = json.loads(self.about.read_text("utf-8"))
        except FileNotFoundError as error:
            raise BackupError(
                f"{self.root} is not a backup, or one that was never finished: it has no backup.json.",
                hint="Name a folder that `cogyard backup` has written.",
            ) from error
        except (OSError, ValueError) as error:
            raise BackupError(f"{self.about} cannot be read: {error}.") from error
        if not isinstance(found, dict) or not isinstance(found.get("format"), int):
            raise BackupError(f"{self.about} is not what `cogyard backup` writes.")
        if found["format"] > FORMAT:
            raise BackupError(
                f"{self.root} was written by a newer release ({found.get('release')}), in a form unknown here.",
                hint="Restore it with that release.",
            )
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a backup holds; `copied` of its bytes were not there before."""

    contents: Contents
    blobs: int
    size: int
    copied: int
    missing: tuple[str, ...]


def take(folder: DataDir, target: Path, *, progress: Callable[[str], None] = lambda _step: None) -> Taken:
    """Back a platform up to a folder, new or with an earlier backup in it. Blocks.

    Raises BackupError for a folder with other things in it, OSError for a full disk, and the store's errors.
    """
    place = _claim(target, folder)
    for attempt in range(_TRIES):
        progress("the database")
        unfinished = place.root / "database.unfinished"
        unfinished.unlink(missing_ok=True)
        snapshot(folder.database, unfinished)
        contents = inspect(unfinished)
        before = _size_of(place)
        missing = tuple(_copy(folder, place, contents, progress))
        if not missing or attempt == _TRIES - 1:
            break
    if folder.secret.exists():
        _write(place.secret, folder.secret.read_bytes())
    digest = file_digest(unfinished)
    database = place.root / f"database-{digest[:16]}.db"
    unfinished.replace(database)
    about = {
        "format": FORMAT,
        "release": version("cogyard"),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "database": {"name": database.name, "sha256": digest},
        "missing": list(missing),
    }
    _write(place.about, json.dumps(about, indent=2).encode() + b"\n")
    _forget(place, database, contents)
    count, size = _size_of(place)
    return Taken(contents=contents, blobs=count, size=size, copied=max(0, size - before[1]), missing=missing)


def _claim(target: Path, folder: DataDir) -> BackupFolder:
    """Make the folder; refuse one with something else in it, which would be removed."""
    if target.absolute().is_relative_to(folder.root.absolute()):
        raise BackupError(
            f"{target} is inside the data folder: what takes that away takes its backup along.",
            hint="Name a folder on another disk, or at least another folder.",
        )
    place = BackupFolder(target)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_ours = place.about.exists() or all(_is_ours(path.name) for path in target.iterdir())
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from error
    if not is_ours:
        raise BackupError(
            f"{target} has other things in it than a backup.", hint="Name a new folder, or an earlier backup."
        )
    return place


def _is_ours(name: str) -> bool:
    """Whether a backup that was interrupted leaves something of this name."""
    return name in {*STORES, "secret"} or name.startswith(("database", "."))


def _copy(
    folder: DataDir, place: BackupFolder, contents: Contents, progress: Callable[[str], None]
) -> Iterator[str]:
    """Copy what is not there yet; yield what cannot be had."""
    sources = {"images": folder.images, "files": folder.files}
    for store, needed in contents.needed.items():
        for number, digest in enumerate(sorted(needed), start=1):
            name = digest.removeprefix("sha256:")
            source, blob = sources[store] / "blobs" / "sha256" / name[:2] / name, place.blob(store, digest)
            if blob.exists():
                continue
            if number % 100 == 1:
                progress(f"{store} {number} of {len(needed)}")
            if not copy_verified(source, blob, digest):
                yield f"{store} {digest}"


def copy_verified(source: Path, target: Path, digest: str) -> bool:
    """Copy a file durably if its content has that digest; False, and nothing copied, when not or when it is gone."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    hasher = hashlib.sha256()
    try:
        with source.open("rb") as reading, unfinished.open("wb") as writing:
            while chunk := reading.read(_CHUNK):
                hasher.update(chunk)
                writing.write(chunk)
            writing.flush()
            os.fsync(writing.fileno())
        if f"sha256:{hasher.hexdigest()}" == digest:
            unfinished.replace(target)
            return True
    except FileNotFoundError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return False


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    os.close(handle)


def _forget(place: BackupFolder, database: Path, contents: Contents) -> None:
    """Remove what only earlier backups in this folder needed."""
    for old in place.root.glob("database-*.db"):
        if old != database:
            old.unlink()
    names: Mapping[str, set[str]] = {
        store: {digest.removeprefix("sha256:") for digest in needed}
        for store, needed in contents.needed.items()
    }
    for store in STORES:
        for shard in (place.root / store).glob("*"):
            for blob in shard.iterdir():
                if blob.name not in names[store]:
                    blob.unlink()


def _size_of(place: BackupFolder) -> tuple[int, int]:
    sizes = [blob.stat().st_size for store in STORES for blob in (place.root / store).glob("??/*")]
    return len(sizes), sum(sizes)
