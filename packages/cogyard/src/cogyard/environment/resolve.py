"""From requirements to a lock, kept by content: the same question is asked once."""

from __future__ import annotations

import os

from cogyard.environment import cache, uv
from cogyard.environment.asked import Asked
from cogyard.environment.credentials import Credentials
from cogyard.environment.lock import Lock
from cogyard.environment.target import Target
from cogyard.project import Project


def resolve(
    project: Project, target: Target, *, refresh: bool = False, on_progress: uv.Progress = uv.silent
) -> Lock:
    """Return the lock of a project's packages for a target; `refresh` asks the index again.

    Raises UnresolvableError (the packages do not fit) or ResolvingFailedError (the index, the network).
    """
    return resolve_asked(Asked.by(project), target, refresh=refresh, on_progress=on_progress)


def resolve_asked(
    asked: Asked, target: Target, *, refresh: bool = False, on_progress: uv.Progress = uv.silent
) -> Lock:
    """Return the lock of what is asked for, from the cache when the same was asked before. Raises as `resolve`."""
    place = target.platform or machine_name()
    name = cache.key("lock 4", uv.version(), target.python, place, *asked.question())
    kept = cache.cache_dir() / "locks" / name / "pylock.toml"
    credentials = Credentials.of(asked, os.environ)
    if not refresh and kept.is_file():
        text = kept.read_text("utf-8")
        return Lock(text, target.python, target.platform, credentials=credentials)
    from cogyard.environment import (
        pylock,  # most are asked a second time, and importing these takes as long as that
    )
    from cogyard.environment.answer import answer

    found = answer(asked, target, on_progress=on_progress)
    text = pylock.render(found.document)
    cache.write(kept, text.encode())
    return Lock(text, target.python, target.platform, warnings=found.warnings, credentials=credentials)


def machine_name() -> str:
    """Return the name of this machine for cache keys."""
    import sysconfig

    return sysconfig.get_platform()
