"""A platform made of its backup, in a folder that has none, or in the place of one that is damaged.

Bytes come first and the database last, by one rename: until then the folder is what it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cogyard.compose.backup import STORES, BackupError, BackupFolder, copy_verified, file_digest
from cogyard.compose.datadir import DataDir, DataDirError, Hold
from cogyard.store.migrations import released
from cogyard.store.snapshot import Contents, inspect


class OccupiedError(DataDirError):
    """There is a platform in the folder already."""

    code = "data_dir_occupied"

    def __init__(self, folder: DataDir) -> None:
        """Name the folder."""
        super().__init__(
            f"There is a platform in {folder.root} already.",
            hint="Name a new folder with --data-dir, or say --replace: its database is then put aside, not removed.",
        )


def restore(
    source: Path, folder: DataDir, *, replace: bool, progress: Callable[[str], None] = lambda _step: None
) -> tuple[Contents, Path | None]:
    """Make a platform of a backup; return what it holds and where a replaced database was put. Blocks.

    Raises BackupError for a backup that is not whole, OccupiedError, PlatformRunningError and the store's errors.
    """
    place = BackupFolder(source)
    database, contents = _checked(place)
    if folder.exists() and not replace:
        raise OccupiedError(folder)
    hold = Hold.take(folder.make())
    try:
        _bring_blobs(place, folder, contents, progress)
        progress("the database")
        unfinished = folder.root / "cogyard.db.unfinished"
        shutil.copyfile(database, unfinished)
        unfinished.chmod(0o600)
        _sync(unfinished)
        # What it says of leases is of another database; without it they are taken for seen.
        folder.handovers.unlink(missing_ok=True)
        aside = _put_aside(folder)
        if place.secret.exists():
            shutil.copyfile(place.secret, folder.secret)
            folder.secret.chmod(0o600)
        unfinished.replace(folder.database)
        _sync(folder.root)
    finally:
        hold.release()
    return contents, aside


def _checked(place: BackupFolder) -> tuple[Path, Contents]:
    """Look at all of a backup before anything is touched."""
    about = place.read()
    named = about.get("database", {})
    database = place.root / Path(str(named.get("name"))).name
    if not database.is_file() or file_digest(database) != named.get("sha256"):
        raise BackupError(
            f"The database in {place.root} is not the one that was backed up.",
            hint="The backup is damaged: use another one.",
        )
    contents = inspect(database)
    known = {migration.number for migration in released()}
    if newer := [number for number in contents.migrations if number not in known]:
        raise BackupError(
            f"The backup is of a newer release ({about.get('release')}): it has migration {newer[0]:04}, "
            "unknown here.",
            hint="Install that release, or a later one, to restore it.",
        )
    gone = set(about.get("missing", []))
    missing = [
        f"{store} {digest}"
        for store in STORES
        for digest in contents.needed[store]
        if not place.blob(store, digest).exists() and f"{store} {digest}" not in gone
    ]
    if missing:
        raise BackupError(
            f"{len(missing)} of the backup's blobs are not in {place.root}, such as {missing[0]}.",
            hint="The backup is damaged: use another one.",
        )
    return database, contents


def _bring_blobs(
    place: BackupFolder, folder: DataDir, contents: Contents, progress: Callable[[str], None]
) -> None:
    targets = {"images": folder.images, "files": folder.files}
    for store in STORES:
        for number, digest in enumerate(sorted(contents.needed[store]), start=1):
            source, name = place.blob(store, digest), digest.removeprefix("sha256:")
            target = targets[store] / "blobs" / "sha256" / name[:2] / name
            if not source.exists():  # It was missing when the backup was made, and said so.
                continue
            if number % 100 == 1:
                progress(f"{store} {number} of {len(contents.needed[store])}")
            # What is there already is not believed: the folder may be the damaged one.
            if not copy_verified(source, target, digest):
                raise BackupError(
                    f"The blob {source} is not what its name says.",
                    hint="The backup is damaged: use another one.",
                )


def _put_aside(folder: DataDir) -> Path | None:
    if not folder.database.exists():
        return None
    aside = folder.root / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    aside.mkdir(mode=0o700)
    for name in ("cogyard.db", "cogyard.db-wal", "cogyard.db-shm"):
        if (folder.root / name).exists():
            (folder.root / name).rename(aside / name)
    return aside


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
