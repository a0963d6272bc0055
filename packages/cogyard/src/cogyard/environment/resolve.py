"""From requirements to a lock, kept by content: the same question is asked once."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cogyard.environment import cache, pylock, uv
from cogyard.environment.errors import ResolvingFailedError, UnresolvableError
from cogyard.environment.exported import export
from cogyard.environment.lock import Lock
from cogyard.environment.python import any_python
from cogyard.environment.target import Target
from cogyard.project import Project
from cogyard.project.pyproject import Pyproject
from cogyard.project.requirements import OWN

NO_SOLUTION = 1
"""uv's exit status when the requirements have no solution; other failures have other numbers."""

_INDEX_SETTINGS = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX_STRATEGY",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_EXCLUDE_NEWER",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_TORCH_BACKEND",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of the index; `subject` names in messages who asks."""

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pyproject: Pyproject | None = None
    subject: str = "the project"

    @classmethod
    def by(cls, project: Project) -> Asked:
        """Return what a project asks for."""
        return cls(
            lines=(*project.requirement_options, *project.requirements),
            constraints=project.constraints,
            pyproject=project.pyproject,
        )


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
    place = target.platform or _machine()
    name = cache.key("lock 2", uv.version(), target.python, place, *_question(asked))
    kept = cache.cache_dir() / "locks" / name / "pylock.toml"
    if not refresh and kept.is_file():
        return Lock(kept.read_text("utf-8"), target.python, target.platform)
    if asked.pyproject is not None and asked.pyproject.lock is not None:
        on_progress("Reading uv.lock")
        text = export(asked.pyproject, target, on_progress)
    else:
        on_progress("Resolving packages")
        text = _compile(asked, target)
    cache.write(kept, text.encode())
    return Lock(text, target.python, target.platform)


def _compile(asked: Asked, target: Target) -> str:
    python, _ = any_python(target.python)
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        arguments = ["pip", "compile", "--format", "pylock.toml", "--no-header", "--generate-hashes"]
        arguments += ["--python", str(python), "--python-version", target.python]
        if target.uv_platform is not None:
            arguments += ["--python-platform", target.uv_platform]
        arguments += ["--quiet", "--output-file", "pylock.toml", *_sources(asked, folder)]
        outcome = uv.run(arguments, folder=folder)
        if outcome.status == NO_SOLUTION:
            raise UnresolvableError(
                f"no set of packages fits what {asked.subject} asks for, on Python {target.python}:",
                details=outcome.messages,
                hint=f"Change {_named(asked)} or python_version in cog.yaml.",
            )
        if outcome.status != 0:
            raise ResolvingFailedError(
                "the packages could not be looked up:",
                details=outcome.messages,
                hint="Is the package index reachable from here? UV_DEFAULT_INDEX names another one.",
            )
        text = (folder / "pylock.toml").read_text("utf-8")
        # uv writes paths as they lead from the lock, which does not stay in this folder
        return pylock.render(pylock.absolute(pylock.parse(text), folder)) if asked.pyproject else text


def _sources(asked: Asked, folder: Path) -> list[str]:
    """Write what is asked for into files, and return uv's arguments that name them."""
    arguments = []
    if asked.constraints:
        (folder / "constraints.in").write_text("".join(f"{line}\n" for line in asked.constraints), "utf-8")
        arguments += ["--constraints", "constraints.in"]
    if asked.pyproject is not None:
        (folder / "excludes.in").write_text("".join(f"{name}\n" for name in sorted(OWN)), "utf-8")
        return [*arguments, "--excludes", "excludes.in", str(asked.pyproject.path)]
    (folder / "requirements.in").write_text("".join(f"{line}\n" for line in asked.lines), "utf-8")
    return [*arguments, "requirements.in"]


def _named(asked: Asked) -> str:
    return asked.pyproject.path.name if asked.pyproject else "python_packages (or the requirements file)"


def _question(asked: Asked) -> list[str | bytes]:
    """Return everything the answer depends on, as far as it can be known without asking."""
    settings = [f"{name}={os.environ.get(name, '')}" for name in _INDEX_SETTINGS]
    files = [_file_state(line) for line in (*asked.lines, *asked.constraints) if "file://" in line]
    question: list[str | bytes] = ["requirements", *asked.lines, "constraints", *asked.constraints]
    if asked.pyproject is not None:
        # paths of local packages count from its folder, which therefore is part of the question
        question += ["pyproject", str(asked.pyproject.path), asked.pyproject.path.read_bytes()]
        question += [asked.pyproject.lock.read_bytes()] if asked.pyproject.lock else []
    return [*question, *settings, *files]


def _file_state(line: str) -> str:
    path = Path(unquote(urlsplit(line[line.index("file://") :]).path))
    if not path.exists():
        return f"{path} missing"
    state = path.stat()
    return f"{path} {state.st_size} {state.st_mtime_ns}"


def _machine() -> str:
    import sysconfig

    return sysconfig.get_platform()
