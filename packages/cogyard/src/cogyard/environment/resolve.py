"""From requirements to a lock, kept by content: the same question is asked once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cogyard.environment import cache, pylock, uv
from cogyard.environment.asked import Asked
from cogyard.environment.errors import ResolvingFailedError, UnresolvableError
from cogyard.environment.exported import export
from cogyard.environment.lock import Lock
from cogyard.environment.python import any_python
from cogyard.environment.target import Target
from cogyard.project import Project
from cogyard.project.requirements import OWN

NO_SOLUTION = 1
"""uv's exit status when the requirements have no solution; other failures have other numbers."""


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
    name = cache.key("lock 2", uv.version(), target.python, place, *asked.question())
    kept = cache.cache_dir() / "locks" / name / "pylock.toml"
    if not refresh and kept.is_file():
        return Lock(kept.read_text("utf-8"), target.python, target.platform)
    text = pylock.render(answer(asked, target, on_progress=on_progress))
    cache.write(kept, text.encode())
    return Lock(text, target.python, target.platform)


def answer(
    asked: Asked, target: Target, *, prefer: pylock.Table | None = None, on_progress: uv.Progress = uv.silent
) -> pylock.Table:
    """Return the lock's document, asked for anew; where it can, with the versions of the lock `prefer`."""
    if asked.pyproject is not None and asked.locked_by_uv:
        on_progress("Reading uv.lock")
        return export(asked.pyproject, target, on_progress)
    on_progress("Resolving packages")
    return _compile(asked, target, prefer)


def _compile(asked: Asked, target: Target, prefer: pylock.Table | None) -> pylock.Table:
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        if prefer is not None:
            (folder / "pylock.toml").write_text(pylock.render(prefer), "utf-8")
        arguments = ["--format", "pylock.toml", "--generate-hashes", "--output-file", "pylock.toml"]
        outcome = compile_in(folder, asked, target, arguments)
        if outcome.status == NO_SOLUTION:
            raise UnresolvableError(
                f"no set of packages fits what {asked.subject} asks for, on Python {target.python}:",
                details=outcome.messages,
                hint=f"Change {asked.named} or python_version in cog.yaml.",
            )
        if outcome.status != 0:
            raise ResolvingFailedError(
                "the packages could not be looked up:",
                details=outcome.messages,
                hint="Is the package index reachable from here? UV_DEFAULT_INDEX names another one.",
            )
        document = pylock.parse((folder / "pylock.toml").read_text("utf-8"))
        return pylock.for_target(document, target, folder)


def compile_in(folder: Path, asked: Asked, target: Target, arguments: Sequence[str]) -> uv.Outcome:
    """Run `uv pip compile` in a scratch folder, for a target."""
    python, _ = any_python(target.python)
    own = ["pip", "compile", "--quiet", "--no-header", "--python", str(python)]
    own += ["--python-version", target.python]
    if target.uv_platform is not None:
        own += ["--python-platform", target.uv_platform]
    return uv.run([*own, *arguments, *_sources(asked, folder)], folder=folder)


def _sources(asked: Asked, folder: Path) -> list[str]:
    """Write what is asked for into files, and return uv's arguments that name them."""
    arguments = []
    if asked.constraints:
        (folder / "constraints.in").write_text("".join(f"{line}\n" for line in asked.constraints), "utf-8")
        arguments += ["--constraints", "constraints.in"]
    if asked.pyproject is not None:
        (folder / "excludes.in").write_text("".join(f"{name}\n" for name in sorted(OWN)), "utf-8")
        return [*arguments, "--excludes", "excludes.in", str(asked.pyproject.path)]
    (folder / "requirements.in").write_text(
        "".join(f"{line}\n" for line in (*asked.options, *asked.lines)), "utf-8"
    )
    return [*arguments, "requirements.in"]


def machine_name() -> str:
    """Return the name of this machine for cache keys."""
    import sysconfig

    return sysconfig.get_platform()
