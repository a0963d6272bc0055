"""Where weights are kept on this machine: their files in the cache, what was imported in the project's weights.lock."""

from __future__ import annotations

from pathlib import Path

from cogyard.environment import cache
from cogyard.oci.layout import on_disk
from cogyard.project import Project
from cogyard.weights.errors import LockInvalidError
from cogyard.weights.files import WeightFiles
from cogyard.weights.lock import LOCK_NAME, Entry, WeightsLock, decode


def local_files() -> WeightFiles:
    """Return the files of weights of this machine."""
    return WeightFiles(cache.cache_dir() / "weights")


def read_lock(root: Path) -> WeightsLock:
    """Return a project's weights.lock; an empty one where there is none. Raises LockInvalidError."""
    try:
        return decode((root / LOCK_NAME).read_bytes())
    except FileNotFoundError:
        return WeightsLock()
    except OSError as error:
        raise LockInvalidError(f"{LOCK_NAME} cannot be read: {error.strerror}") from None


def write_lock(root: Path, lock: WeightsLock) -> None:
    """Write a project's weights.lock, whole or not at all. Raises StoreFullError, StoreUnusableError."""
    path = root / LOCK_NAME
    part = path.with_name(f".{LOCK_NAME}.part")
    with on_disk(root):
        part.write_bytes(lock.encode())
        part.replace(path)


def imported(project: Project) -> tuple[Entry, ...]:
    """Return the weights that cog.yaml declares as they were imported; none where it declares none.

    Raises NotImportedError, LockInvalidError.
    """
    declared = project.config.weights
    return read_lock(project.root).of(declared) if declared else ()
