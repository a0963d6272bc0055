"""Environments for the process runtime, made by uv and kept by content, shared with `cog predict`."""

from __future__ import annotations

from pathlib import Path

from cogyard.environment import Lock, LockInvalidError, PreparingError, make_environment
from cogyard.instances.errors import ImageRefusedError, PrepareFailedError
from cogyard.instances.runtime import Progress

#: uv's own lines can be many; the last ones say what went wrong.
_DETAILS = 2000


class UvEnvironments:
    """Make the environment of a lock in a cache folder (None: the user's)."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache

    def make(self, lock: str, *, python: str, platform: str | None, progress: Progress) -> Path:
        """Return the environment's Python; blocks for as long as packages take to come.

        Raises ImageRefusedError for a lock that is none, PrepareFailedError when it can't be installed here.
        """
        try:
            parsed = Lock(lock, python, platform)
            _ = parsed.packages  # Reads it: a text that is not a lock is the image's fault, not uv's.
            return make_environment(parsed, cache=self._cache, on_progress=progress).python
        except LockInvalidError as error:
            raise ImageRefusedError(
                f"The lock in the image is not one: {error.message[:_DETAILS]}"
            ) from error
        except PreparingError as error:
            raise PrepareFailedError(
                f"The Python environment could not be made: {error.message[-_DETAILS:]}", hint=error.hint
            ) from error
