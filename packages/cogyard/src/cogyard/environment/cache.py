"""The folder where environments, locks and wheels are kept by content; safe for many processes at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cogyard.environment.errors import CacheError

_HINT = "COGYARD_CACHE_DIR names another folder for it."


def cache_dir() -> Path:
    """Return COGYARD_CACHE_DIR, else `cogyard` in the user's cache folder (XDG)."""
    named = os.environ.get("COGYARD_CACHE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cogyard"


def folder(path: Path) -> Path:
    """Make a folder of the cache and return it; raise CacheError when that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(f"the cache folder {path} cannot be made: {error.strerror}", hint=_HINT) from error
    return path


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path`: one process or thread at a time; the lock ends with its holder.

    `on_wait` is called once when somebody else holds it.
    """
    folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CacheError(f"the cache cannot be written: {path}: {error.strerror}", hint=_HINT) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all."""
    folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CacheError(f"the cache cannot be written: {path}: {error.strerror}", hint=_HINT) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        raise CacheError(f"the cache cannot be written: {path}: {error.strerror}", hint=_HINT) from error
    finally:
        temporary.unlink(missing_ok=True)


class Memory:
    """Bytes by name in a folder of the cache, for nobody else to read: a project's file may hold a password.

    Where the cache cannot be read or written, nothing is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, key: str) -> bytes | None:
        """Return what was kept under a name."""
        try:
            return (self._folder / key).read_bytes()
        except OSError:
            return None

    def keep(self, key: str, data: bytes) -> None:
        """Keep it under a name."""
        with suppress(CacheError):
            write(self._folder / key, data, mode=0o600)


def key(*parts: str | bytes) -> str:
    """Return 32 hex digits that stand for the parts; their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]
