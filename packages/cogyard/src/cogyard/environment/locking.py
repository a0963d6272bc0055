"""The packages of a project: out of its cog.lock where that fits, else by asking the index."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cogyard.environment import cache, uv
from cogyard.environment.asked import Asked
from cogyard.environment.credentials import Credentials
from cogyard.environment.errors import PreparingError
from cogyard.environment.installed import version
from cogyard.environment.lock import Lock
from cogyard.environment.resolve import machine_name, resolve
from cogyard.environment.server import NAME as SERVER
from cogyard.environment.server import server_lock
from cogyard.environment.target import Target
from cogyard.project import Project
from cogyard.project.observability import trace_variables

if TYPE_CHECKING:
    from cogyard.environment.coglock import CogLock

#: Differences named in a warning; the others are counted.
_SHOWN = 3


def lock_path(project: Project) -> Path:
    """Return where a project's lock stands: cog.lock beside cog.yaml."""
    return project.config_file.with_suffix(".lock")


def asked_of(project: Project) -> dict[str, Any]:
    """Return what a lock of the project is made for."""
    build = project.config.build
    own = {"python": project.python_version, "gpu": project.gpu, "cuda": build.cuda, "cudnn": build.cudnn}
    said = {name: value for name, value in own.items() if value is not None}
    return {**said, **Asked.by(project).record(project.root)}


def read_lock(project: Project) -> CogLock | None:
    """Return the project's cog.lock; None when there is none. Raises LockInvalidError."""
    path = lock_path(project)
    if not path.exists():
        return None
    from cogyard.environment import coglock

    return coglock.read(path)


def lock_for(
    project: Project,
    target: Target,
    *,
    refresh: bool = False,
    on_progress: uv.Progress = uv.silent,
    on_stale: uv.Progress | None = None,
) -> Lock:
    """Return a project's packages for a target: those of cog.lock where it matches the project, else resolved.

    A lock that does not match is told to `on_stale` before anything is asked; without one, in the result's warnings.
    Raises as `resolve`, and LockInvalidError.
    """
    path = lock_path(project)
    asked = asked_of(project)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return resolve(project, target, refresh=refresh, on_progress=on_progress)
    except OSError:
        data = b""  # read_lock says what is wrong
    place = target.platform or machine_name()
    key = cache.key(
        "cog.lock 1", str(project.root), data, json.dumps(asked, sort_keys=True), target.python, place
    )
    narrowed = cache.cache_dir() / "locks" / key / "pylock.toml"
    if data and narrowed.is_file():  # reading a large lock takes longer than a warm start may
        text = narrowed.read_text("utf-8")
        return Lock(text, target.python, target.platform, origin=path.name, credentials=_credentials(project))
    kept = read_lock(project)
    if kept is None:
        return resolve(project, target, refresh=refresh, on_progress=on_progress)
    changes = kept.changes(asked)
    found = None if changes else kept.lock(target, path.name)
    if found is not None:
        cache.write(narrowed, found.text.encode())
        return msgspec.structs.replace(found, credentials=_credentials(project))
    why = _why_not(kept, changes, path.name, target)
    if on_stale is not None:
        on_stale(f"{why}. The packages are resolved without it; `cog lock` brings it up to date")
    try:
        fresh = resolve(project, target, refresh=refresh, on_progress=on_progress)
    except PreparingError as error:
        error.hint = " ".join(part for part in (error.hint, f"({why}.)") if part)
        raise
    if on_stale is not None:
        return fresh
    said = f"{why}. The packages were resolved without it; `cog lock` brings it up to date"
    return msgspec.structs.replace(fresh, warnings=(said, *fresh.warnings))


def _credentials(project: Project) -> Credentials:
    return Credentials.of(Asked.by(project), os.environ)


def _why_not(kept: CogLock, changes: Sequence[str], name: str, target: Target) -> str:
    if changes:
        more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        return f"{name} is stale: {'; '.join(changes[:_SHOWN])}{more}"
    where = target.platform or "this machine"
    return f"{name} holds nothing for {where}, only for {', '.join(kept.platforms)}"


def server_lock_for(project: Project, target: Target, *, on_progress: uv.Progress = uv.silent) -> Lock:
    """Return the model server's packages: those of cog.lock where it holds this release's, else resolved."""
    tracing = wants_tracing(project)
    kept = read_lock(project)
    found = kept.server(target, version(SERVER), tracing=tracing) if kept is not None else None
    return found or server_lock(target, tracing=tracing, on_progress=on_progress)


def wants_tracing(project: Project) -> bool:
    """Whether the server needs OpenTelemetry for the project."""
    return bool(trace_variables(project.config.observability))
