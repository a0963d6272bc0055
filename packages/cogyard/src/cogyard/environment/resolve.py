"""From requirements to a lock, kept by content: the same question is asked once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cogyard.environment import cache, uv
from cogyard.environment.errors import ResolvingFailedError, UnresolvableError
from cogyard.environment.lock import Lock
from cogyard.environment.python import any_python
from cogyard.environment.target import Target
from cogyard.project import Project

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


def resolve(
    project: Project, target: Target, *, refresh: bool = False, on_progress: uv.Progress = uv.silent
) -> Lock:
    """Return the lock of a project's packages for a target; `refresh` asks the index again.

    Raises UnresolvableError (the packages do not fit) or ResolvingFailedError (the index, the network).
    """
    lines = [*project.requirement_options, *project.requirements]
    return resolve_lines(
        lines, target, constraints=project.constraints, refresh=refresh, on_progress=on_progress
    )


def resolve_lines(
    lines: Sequence[str],
    target: Target,
    *,
    constraints: Sequence[str] = (),
    subject: str = "the project",
    refresh: bool = False,
    on_progress: uv.Progress = uv.silent,
) -> Lock:
    """Return the lock of requirement lines for a target, from the cache when they were resolved before.

    `subject` names in messages who asks for the packages.
    """
    place = target.platform or _machine()
    name = cache.key("lock 1", uv.version(), target.python, place, *_question(lines, constraints))
    kept = cache.cache_dir() / "locks" / name / "pylock.toml"
    if not refresh and kept.is_file():
        return Lock(kept.read_text("utf-8"), target.python, target.platform)
    on_progress("Resolving packages")
    text = _compile(lines, constraints, target, subject)
    cache.write(kept, text.encode())
    return Lock(text, target.python, target.platform)


def _compile(lines: Sequence[str], constraints: Sequence[str], target: Target, subject: str) -> str:
    python, _ = any_python(target.python)
    with tempfile.TemporaryDirectory(prefix="cogyard-") as temporary:
        folder = Path(temporary)
        (folder / "requirements.in").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        arguments = ["pip", "compile", "--format", "pylock.toml", "--no-header", "--generate-hashes"]
        arguments += ["--python", str(python), "--python-version", target.python]
        if target.uv_platform is not None:
            arguments += ["--python-platform", target.uv_platform]
        if constraints:
            (folder / "constraints.in").write_text("".join(f"{line}\n" for line in constraints), "utf-8")
            arguments += ["--constraints", "constraints.in"]
        arguments += ["--quiet", "--output-file", "pylock.toml", "requirements.in"]
        outcome = uv.run(arguments, folder=folder)
        if outcome.status == NO_SOLUTION:
            raise UnresolvableError(
                f"no set of packages fits what {subject} asks for, on Python {target.python}:",
                details=outcome.messages,
                hint="Change python_packages (or the requirements file) or python_version in cog.yaml.",
            )
        if outcome.status != 0:
            raise ResolvingFailedError(
                "the packages could not be looked up:",
                details=outcome.messages,
                hint="Is the package index reachable from here? UV_DEFAULT_INDEX names another one.",
            )
        return (folder / "pylock.toml").read_text("utf-8")


def _question(lines: Sequence[str], constraints: Sequence[str]) -> list[str]:
    """Return everything the answer depends on, as far as it can be known without asking."""
    settings = [f"{name}={os.environ.get(name, '')}" for name in _INDEX_SETTINGS]
    files = [_file_state(line) for line in (*lines, *constraints) if "file://" in line]
    return ["requirements", *lines, "constraints", *constraints, *settings, *files]


def _file_state(line: str) -> str:
    path = Path(unquote(urlsplit(line[line.index("file://") :]).path))
    if not path.exists():
        return f"{path} missing"
    state = path.stat()
    return f"{path} {state.st_size} {state.st_mtime_ns}"


def _machine() -> str:
    import sysconfig

    return sysconfig.get_platform()
