"""Python environments for models: resolve, lock, make one on this machine with uv.

What a name stands for is imported when it is used: a push of an edited line needs a third of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cogyard.environment.cache import cache_dir
    from cogyard.environment.coglock import CogLock
    from cogyard.environment.describing import describe
    from cogyard.environment.errors import (
        CacheError,
        InstallingFailedError,
        NotDescribedError,
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
    from cogyard.environment.server import server_lock, steps_lock
    from cogyard.environment.target import Target
    from cogyard.environment.uv import Progress
    from cogyard.environment.wheels import own_wheel

_HOMES = {
    "CacheError": "errors",
    "CogLock": "coglock",
    "InstallingFailedError": "errors",
    "LocalEnvironment": "local",
    "Lock": "lock",
    "LockInvalidError": "lock",
    "LockedFile": "lock",
    "LockedPackage": "lock",
    "NotDescribedError": "errors",
    "PreparingError": "errors",
    "Progress": "uv",
    "PythonMissingError": "errors",
    "ResolvingFailedError": "errors",
    "Target": "target",
    "UnresolvableError": "errors",
    "asked_of": "locking",
    "cache_dir": "cache",
    "describe": "describing",
    "find_python": "python",
    "lock_for": "locking",
    "lock_path": "locking",
    "make_environment": "local",
    "own_wheel": "wheels",
    "read_lock": "locking",
    "server_lock": "server",
    "server_lock_for": "locking",
    "steps_lock": "server",
}
"""Where each name lives."""

__all__ = [
    "CacheError",
    "CogLock",
    "InstallingFailedError",
    "LocalEnvironment",
    "Lock",
    "LockInvalidError",
    "LockedFile",
    "LockedPackage",
    "NotDescribedError",
    "PreparingError",
    "Progress",
    "PythonMissingError",
    "ResolvingFailedError",
    "Target",
    "UnresolvableError",
    "asked_of",
    "cache_dir",
    "describe",
    "find_python",
    "lock_for",
    "lock_path",
    "make_environment",
    "own_wheel",
    "read_lock",
    "server_lock",
    "server_lock_for",
    "steps_lock",
]


def __getattr__(name: str) -> object:
    """Import what a name stands for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = found
    return found
