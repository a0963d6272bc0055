"""Packages of ours in an image: the model server's, for its second environment, and those of build steps."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cogyard.environment import cache, installed
from cogyard.environment.asked import Asked
from cogyard.environment.errors import UnresolvableError
from cogyard.environment.lock import Lock
from cogyard.environment.resolve import resolve_asked
from cogyard.environment.target import Target
from cogyard.environment.uv import Progress, silent
from cogyard.environment.wheels import OwnPackageMissingError

NAME = "cogyard-model-server"
EXTRA = "tracing"


def server_lock(target: Target, *, tracing: bool = False, on_progress: Progress = silent) -> Lock:
    """Return the lock of the model server's dependencies for a target, with OpenTelemetry where `tracing` asks for it.

    The versions are those installed here, which the release was tested with, where the target has them.
    """
    try:
        every = installed.requires(NAME)
    except ModuleNotFoundError as error:  # importlib.metadata's PackageNotFoundError
        raise OwnPackageMissingError(f"the package {NAME} is not installed") from error
    question = _question(every, tracing=tracing)
    try:
        tested = Asked(lines=question.lines, constraints=question.tested, subject=NAME)
        return resolve_asked(tested, target, on_progress=on_progress)
    except UnresolvableError:
        asked = Asked(lines=question.lines, subject=NAME)
        return resolve_asked(asked, target, on_progress=on_progress)


def steps_lock(target: Target) -> Lock:
    """Return the lock of what the commands of `run` find in the model's environment: pip."""
    return resolve_asked(Asked(lines=("pip",), subject="the build steps"), target)


class _Question(msgspec.Struct, frozen=True):
    """The requirements, and `name==version` of what they bring here."""

    lines: tuple[str, ...]
    tested: tuple[str, ...]


def _question(every: Sequence[str], *, tracing: bool) -> _Question:
    """Return what is asked, remembered until something is installed here: finding it takes a tenth of a second."""
    name = cache.key("tested 3", installed.stamp(), str(tracing), *every)
    kept = cache.cache_dir() / "tested" / name
    try:
        return msgspec.json.decode(kept.read_bytes(), type=_Question)
    except (OSError, msgspec.MsgspecError):
        lines = _wanted(every, tracing=tracing)
        found = _Question(tuple(lines), tuple(_installed(lines)))
        cache.write(kept, msgspec.json.encode(found))
        return found


def _wanted(lines: Sequence[str], *, tracing: bool) -> list[str]:
    """Return the requirements, those of the extra `tracing` without their marker or left out."""
    from packaging.requirements import Requirement

    found = []
    for line in lines:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": ""}) == one.marker.evaluate({"extra": EXTRA}):
            found.append(line)
        elif tracing:
            one.marker = None
            found.append(str(one))
    return sorted(found)


def _installed(lines: list[str]) -> list[str]:
    """Return `name==version` of every package that the lines bring here, by their own requirements."""
    from importlib.metadata import PackageNotFoundError, distribution, version

    from packaging.requirements import Requirement

    pending = [Requirement(line).name for line in lines]
    found: dict[str, str] = {}
    while pending:
        name = pending.pop()
        if name in found:
            continue
        try:
            found[name] = version(name)
            needs = [Requirement(text) for text in distribution(name).requires or []]
        except PackageNotFoundError:
            continue
        pending += [need.name for need in needs]
    return [f"{name}=={found[name]}" for name in sorted(found)]
