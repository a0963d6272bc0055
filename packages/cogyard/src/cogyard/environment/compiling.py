"""`uv pip compile` in a scratch folder: what is asked for as files and options, for a target."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cogyard.environment import accelerate, uv
from cogyard.environment.asked import TORCH_INDEX, Asked
from cogyard.environment.python import any_python
from cogyard.environment.target import Target
from cogyard.project.requirements import OWN

NO_SOLUTION = 1
"""uv's exit status when the requirements have no solution; other failures have other numbers."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """Which builds of frameworks to take: uv's arguments, and whether to ask for their GPU halves."""

    arguments: tuple[str, ...] = ()
    extras: bool = True


PLAIN = Build()


def builds(asked: Asked) -> list[Build]:
    """Return what to try, the best first; the last are what the default index has, at the very end without extras."""
    found = [Build()]
    wish = asked.wish
    if wish is None or asked.locked_by_uv:
        return found
    if accelerate.extras(asked.named_lines, wish):
        # some releases name GPU packages that no index has any more; then CUDA must come from elsewhere
        found.append(Build(extras=False))
    chosen = os.environ.get("UV_TORCH_BACKEND") or accelerate.names_an_index(asked.options)
    if wish.backend is None or chosen:
        return found
    base = os.environ.get(TORCH_INDEX)
    special = accelerate.pages(base, wish.backend) if base else ["--torch-backend", wish.backend]
    return [Build(arguments=tuple(special)), *found]


def compile_in(
    folder: Path,
    asked: Asked,
    target: Target,
    arguments: Sequence[str],
    *,
    build: Build = PLAIN,
    quick: bool = False,
) -> uv.Outcome:
    """Run `uv pip compile` in a folder; a `quick` one gives up soon on an index that does not answer."""
    python, _ = any_python(target.python)
    own = ["pip", "compile", "--quiet", "--no-header", "--python", str(python)]
    own += ["--python-version", target.python]
    if target.uv_platform is not None:
        own += ["--python-platform", target.uv_platform]
    soon = {"UV_HTTP_CONNECT_TIMEOUT": "4", "UV_HTTP_RETRIES": "1"} if quick else {}
    settings = {name: value for name, value in soon.items() if name not in os.environ}
    return uv.run(
        [*own, *build.arguments, *arguments, *_sources(asked, build, folder)],
        folder=folder,
        settings=settings,
    )


def _sources(asked: Asked, build: Build, folder: Path) -> list[str]:
    """Write what is asked for into files, and return uv's arguments that name them."""
    arguments = []
    if asked.constraints:
        _write(folder / "constraints.in", asked.constraints)
        arguments += ["--constraints", "constraints.in"]
    added = accelerate.extras(asked.named_lines, asked.wish) if asked.wish and build.extras else []
    if asked.pyproject is not None:
        _write(folder / "excludes.in", sorted(OWN))
        arguments += ["--excludes", "excludes.in", str(asked.pyproject.path)]
        if not added:
            return arguments
    _write(folder / "requirements.in", [*asked.options, *asked.lines, *added])
    return [*arguments, "requirements.in"]


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
