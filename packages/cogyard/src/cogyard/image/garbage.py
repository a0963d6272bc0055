"""What lies beside the image store and can be made again."""

from __future__ import annotations

import shutil
from pathlib import Path

from cogyard.image.expected import kept
from cogyard.oci.errors import ImageNotFoundError, OciError
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.weights.errors import ArtifactInvalidError
from cogyard.weights.files import WeightFiles

#: Seconds after which weights that a project used are taken for forgotten.
_UNUSED = 30 * 86400.0


def unpacked_layers(folder: Path, store: ImageStore) -> int:
    """Remove the unpacked layers that no image of the store has; return how many bytes came free."""
    used = set()
    for name in store.names():
        try:
            image = store.image(Reference.parse(name))
        except ImageNotFoundError:
            continue  # removed meanwhile
        except OciError:
            return 0  # what an image that cannot be read needs is not known
        used |= {layer.digest.replace(":", "-") for layer in image.manifest.layers}
    freed = 0
    for each in folder.glob("sha256-*"):
        if each.name not in used:
            freed += _size(each)
            _unlock(each)
            shutil.rmtree(each, ignore_errors=True)
    return freed


def unused_weights(files: WeightFiles, store: ImageStore) -> int:
    """Remove the weights that no image of the store has and nothing used for a while; return the bytes freed."""
    keep = set()
    for name in store.names():
        try:
            image = store.image(Reference.parse(name))
            keep |= {each.set_digest for each in kept(store, image.beside)}
        except ImageNotFoundError:
            continue  # removed meanwhile
        except (OciError, ArtifactInvalidError):
            return 0  # what an image that cannot be read needs is not known
    return files.collect(keep, older_than=_UNUSED)


def empty(folder: Path) -> int:
    """Remove everything in a folder; return how many bytes came free."""
    freed = _size(folder) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _unlock(folder: Path) -> None:
    """Let the folders of a layer be emptied: a layer may have made them read-only."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
