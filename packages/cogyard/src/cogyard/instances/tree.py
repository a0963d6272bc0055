"""The project folder of one instance, put together from shared layers.

Source files are copied, because a model may write beside its code and must not write into another instance's.
Weights are hard links to the read-only shared layer: no copy of gigabytes at every start.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from cogyard.instances.errors import ImageRefusedError

#: Where the project stands in an image.
PROJECT = "src"


def assemble(layers: Iterable[tuple[Path, bool]], target: Path) -> None:
    """Fill the new folder `target` from the `src` folders of layers, lowest first.

    Each layer is (its folder, whether its files are shared by hard links). Raises ImageRefusedError when one
    layer puts files below a link or file of another.
    """
    target.mkdir(parents=True)
    for folder, shared in layers:
        if (folder / PROJECT).is_dir():
            _merge(folder / PROJECT, target, shared=shared)


def share(folder: Path, project: Path, name: str) -> None:
    """Put a folder's files at a place in the project, by hard links where that is possible.

    Raises ImageRefusedError when the project has a link or file on the way.
    """
    place = project
    for part in Path(name).parts:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise ImageRefusedError(f"The image has something else than a folder at {name[:100]!r}.")
        place.mkdir(exist_ok=True)
    _merge(folder, place, shared=True)


def _merge(source: Path, target: Path, *, shared: bool) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            place = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                if place.is_symlink() or (place.exists() and not place.is_dir()):
                    raise ImageRefusedError(
                        f"The image's layers disagree on whether {entry.name!r:.100} is a folder."
                    )
                place.mkdir(exist_ok=True)
                _merge(Path(entry.path), place, shared=shared)
                continue
            if place.is_symlink() or place.is_file():
                place.unlink()
            if entry.is_symlink():
                place.symlink_to(Path(entry.path).readlink())
            else:
                _file(Path(entry.path), place, shared=shared)


def _file(source: Path, place: Path, *, shared: bool) -> None:
    if shared:
        try:
            place.hardlink_to(source)
        except OSError:  # Another file system, or one without hard links.
            shared = False
        else:
            return
    shutil.copyfile(source, place, follow_symlinks=False)
    place.chmod(source.stat().st_mode | 0o200)
