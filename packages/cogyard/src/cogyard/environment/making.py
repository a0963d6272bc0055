"""Make a cog.lock: resolve for every platform, ask why, put it into one document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogyard.environment import coglock, pylock, uv
from cogyard.environment.answer import answer
from cogyard.environment.asked import Asked
from cogyard.environment.coglock import CogLock
from cogyard.environment.cuda import Cuda, cuda_of
from cogyard.environment.errors import PreparingError
from cogyard.environment.explain import explain
from cogyard.environment.installed import version
from cogyard.environment.locking import asked_of, wants_tracing
from cogyard.environment.reasons import Origin, Reasons
from cogyard.environment.server import NAME as SERVER
from cogyard.environment.server import server_lock
from cogyard.environment.target import Target
from cogyard.project import Project


@dataclass(frozen=True, kw_only=True)
class LockedBase:
    """The base image of one platform, as a lock keeps it."""

    platform: str
    name: str
    digest: str
    because: str


def make_lock(
    project: Project,
    platforms: Sequence[str],
    *,
    previous: CogLock | None = None,
    upgrade: Collection[str] | None = (),
    bases: Sequence[LockedBase] = (),
    on_progress: uv.Progress = uv.silent,
    on_warning: uv.Progress = uv.silent,
) -> CogLock:
    """Resolve a project for platforms such as linux/amd64, with the versions of `previous` where they still fit.

    `upgrade` names packages to take newer versions of; None is all. Raises as `resolve`. Where the index has not what
    the model server needs, `on_warning` is told, as of other surprises, and a build will ask for it again.
    """
    asked, tracing = Asked.by(project), wants_tracing(project)
    documents: dict[str, pylock.Table] = {}
    servers: dict[str, pylock.Table] = {}
    reasons: dict[str, Reasons] = {}
    for platform in platforms:
        target = Target(python=project.python_version, platform=platform)
        prefer = _preferred(previous, target, upgrade)
        on_progress(f"Resolving packages for {platform}")
        resolved = answer(asked, target, prefer=prefer)
        for warning in resolved.warnings:
            on_warning(warning)
        found = explain(
            asked, target, resolved, root=project.root, source=project.packages_named, on_progress=on_progress
        )
        documents[platform] = _explained(resolved.document, found, project.root)
        try:
            servers[platform] = pylock.parse(server_lock(target, tracing=tracing).text)
        except PreparingError as error:
            on_warning(f"the model server's own packages are not locked: {error.message}")
        reasons[platform] = found
    own = {
        "format": coglock.FORMAT,
        "platforms": list(platforms),
        "asked": asked_of(project),
        **_cuda(reasons),
        "bases": [_row(base) for base in bases],
        "server": {"version": version(SERVER), "tracing": tracing, "packages": coglock.merged(servers)}
        if len(servers) == len(platforms)
        else None,
    }
    document = {
        "lock-version": "1.0",
        "created-by": "cogyard",
        "requires-python": f"=={project.python_version}.*",
        "packages": coglock.merged(documents),
        "tool": {"cogyard": {name: value for name, value in own.items() if value not in ([], {}, None)}},
    }
    return CogLock(document, project.root)


def _preferred(
    previous: CogLock | None, target: Target, upgrade: Collection[str] | None
) -> pylock.Table | None:
    machine = target.machine
    if previous is None or upgrade is None or machine is None or target.platform not in previous.platforms:
        return None
    document = pylock.narrowed(previous.document, machine, previous.root)
    return {**document, "packages": [one for one in document["packages"] if one["name"] not in upgrade]}


def _explained(document: pylock.Table, reasons: Reasons, root: Path) -> pylock.Table:
    children: dict[str, list[str]] = {}
    for name, one in reasons.origins.items():
        for parent in one.parents:
            children.setdefault(parent, []).append(name)
    packages = []
    for package in document["packages"]:
        name = str(package["name"])
        index = _shown(reasons.origins.get(name, Origin()).index)
        needed = [{"name": child} for child in sorted(children.get(name, ()))]
        because = list(reasons.of(name))
        packages.append(
            {
                **pylock.shared(package, root),
                **({"index": index} if index else {}),
                **({"dependencies": needed} if needed else {}),
                **({"tool": {"cogyard": {"because": because}}} if because else {}),
            }
        )
    return {**document, "packages": packages}


def _shown(index: str | None) -> str | None:
    """Return an index as a lock that is shared names it; a folder is this machine's, and the file says where it is."""
    return None if index is None or index.startswith("file:") else pylock.without_credentials(index)


def _cuda(reasons: Mapping[str, Reasons]) -> dict[str, Any]:
    found: Cuda | None = next((one for each in reasons.values() if (one := cuda_of(each)) is not None), None)
    if found is None:
        return {}
    cudnn = {"cudnn": found.cudnn} if found.cudnn else {}
    return {"cuda": {"version": found.version, **cudnn, "wheels": found.wheels, "because": found.because}}


def _row(base: LockedBase) -> dict[str, str]:
    return {
        "platform": base.platform,
        "name": base.name,
        "digest": base.digest,
        "because": base.because,
    }
