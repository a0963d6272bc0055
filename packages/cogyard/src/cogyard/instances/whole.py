"""A root file system put together from layers without overlayfs: hard links to the shared layers, one tree a version.

Only where the kernel lets nobody but root mount an overlay. Such a root is read-only: its files are those of every
other version with the same layers.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Iterable
from pathlib import Path

from cogyard.instances.errors import ImageRefusedError

#: Where a sandbox mounts something of its own: a root that can't be written must have a folder there.
MOUNT_POINTS = ("proc", "dev", "tmp", "run", "var/tmp")


def compose(layers: Iterable[Path], target: Path, places: Iterable[str] = ()) -> None:
    """Make `target` the sum of unpacked layers, lowest first; whole or not at all. Blocks for seconds.

    `places` are folders inside that something else is mounted over.
    Raises ImageRefusedError and OSError.
    """
    if target.is_dir():
        return
    work = target.with_name(f"unfinished-{uuid.uuid4().hex}")
    try:
        work.mkdir(parents=True)
        for layer in layers:
            _add(layer, work)
        for name in (*MOUNT_POINTS, *(each.lstrip("/") for each in places)):
            _mount_point(work, name)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _add(source: Path, target: Path) -> None:
    if _is_opaque(source):
        for entry in list(target.iterdir()):
            _remove(entry)
    with os.scandir(source) as entries:
        for found in entries:
            entry, place = Path(found.path), target / found.name
            if found.is_dir(follow_symlinks=False):
                if place.is_symlink() or (place.exists() and not place.is_dir()):
                    place.unlink()
                if not place.exists():
                    place.mkdir()
                    shutil.copystat(entry, place)
                _add(entry, place)
                continue
            _remove(place)
            if found.is_symlink():
                place.symlink_to(entry.readlink())
            elif not _is_gone(found.stat(follow_symlinks=False)):
                place.hardlink_to(entry)


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, "user.overlay.opaque") == b"y"
    except OSError:
        return False


def _is_gone(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif os.path.lexists(place):
        place.unlink()


def _mount_point(root: Path, name: str) -> None:
    """Make a folder in the root, where no link of the image's leads elsewhere."""
    place = root
    for part in Path(name).parts:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise ImageRefusedError(
                f"The image has something else than a folder at /{place.relative_to(root)}."
            )
        place.mkdir(exist_ok=True)
