"""Python environments for models: resolve, lock, make one on this machine with uv."""

from __future__ import annotations

from cogyard.environment.cache import cache_dir
from cogyard.environment.coglock import CogLock
from cogyard.environment.errors import (
    CacheError,
    InstallingFailedError,
    PreparingError,
    PythonMissingError,
    ResolvingFailedError,
    UnresolvableError,
)
from cogyard.environment.local import LocalEnvironment, make_environment
from cogyard.environment.lock import Lock, LockedFile, LockedPackage, LockInvalidError
from cogyard.environment.locking import (
    asked_of,
    lock_for,
    lock_path,
    read_lock,
    server_lock_for,
)
from cogyard.environment.python import find_python
from cogyard.environment.resolve import resolve
from cogyard.environment.server import server_lock, steps_lock
from cogyard.environment.target import Target
from cogyard.environment.uv import Progress
from cogyard.environment.wheels import own_wheel

__all__ = [
    "CacheError",
    "CogLock",
    "InstallingFailedError",
    "LocalEnvironment",
    "Lock",
    "LockInvalidError",
    "LockedFile",
    "LockedPackage",
    "PreparingError",
    "Progress",
    "PythonMissingError",
    "ResolvingFailedError",
    "Target",
    "UnresolvableError",
    "asked_of",
    "cache_dir",
    "find_python",
    "lock_for",
    "lock_path",
    "make_environment",
    "own_wheel",
    "read_lock",
    "resolve",
    "server_lock",
    "server_lock_for",
    "steps_lock",
]
