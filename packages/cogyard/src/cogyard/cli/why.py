"""`cog why`: why a package, CUDA, the Python or the base is what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError
from cogyard.cli.options import config_file

if TYPE_CHECKING:
    from cogyard.environment import CogLock
    from cogyard.project import Project


#: Packages that are named to whoever asked of one that is not there.
SHOWN = 10


@click.command(short_help="Say why a package is there, or CUDA is what it is.")
@click.argument("name")
@config_file
def why(*, name: str, filename: str) -> None:
    """Say why a package is among the model's, in which version and from where; or `cuda`, `python`, `base`.

    The answer comes from cog.lock where it matches the project, else the packages are resolved for it.
    """
    from cogyard.cli.lock import make
    from cogyard.cli.prepare import open_project
    from cogyard.environment import PreparingError, asked_of, read_lock

    console = Console()
    project = open_project(filename, console)
    kept = read_lock(project)
    if kept is None or kept.changes(asked_of(project)):
        try:
            kept = make(project, console)
        except PreparingError:
            # offline, uv cannot tell a package that is not there from one that is not in its cache
            if name.lower() not in {"cuda", "cudnn"} or not (lines := _expected(project)):
                raise
            console.warn("the packages cannot be resolved now; this is what is known without the index")
            click.echo("\n".join(lines))
            return
    click.echo("\n".join(answer(kept, name)))


def _expected(project: Project) -> list[str]:
    from cogyard.environment.asked import Asked
    from cogyard.environment.cuda import cuda_expected

    found = cuda_expected(Asked.by(project).named_lines)
    return (
        [] if found is None else [f"CUDA {found.version}, cuDNN {found.cudnn}", f"  because {found.because}"]
    )


def answer(lock: CogLock, name: str) -> list[str]:
    """Return the answer's lines; raise MisuseError for a name that is none of the lock's."""
    from cogyard.environment.reasons import canonical

    wanted = canonical(name)
    special = {"cuda": _cuda, "cudnn": _cuda, "python": _python, "base": _bases}
    found = [one for one in lock.packages if one["name"] == wanted]
    if not found and wanted in special:
        return list(special[wanted](lock))
    if not found:
        from cogyard.project.suggest import did_you_mean

        names = [str(one["name"]) for one in lock.packages]
        hint = did_you_mean(wanted, [*names, *special]) or _others(names)
        raise MisuseError(f"`{name}` is not among the model's packages", hint=hint)
    return [line for one in found for line in _package(lock, one)]


def _package(lock: CogLock, package: Mapping[str, Any]) -> Iterator[str]:
    name = str(package["name"])
    marker = f" where {package['marker']}" if "marker" in package else ""
    yield f"{name} {package.get('version', '')}{marker}".strip()
    for sentence in lock.because(name):
        yield f"  because {sentence}"
    way = lock.chain(name)
    if len(way) > 2:
        yield f"  by way of {' > '.join(way)}"
    if "index" in package:
        yield f"  from {package['index']}"


def _cuda(lock: CogLock) -> Iterator[str]:
    found = lock.own.get("cuda")
    if found is None:
        gpu = lock.own.get("asked", {}).get("gpu")
        yield "No CUDA: no package of the model brings or needs it" + (
            ", although gpu is true" if gpu else ""
        )
        return
    cudnn = f", cuDNN {found['cudnn']}" if "cudnn" in found else ""
    yield f"CUDA {found['version']}{cudnn}"
    yield f"  because {found['because']}"
    if not found["wheels"]:
        yield "  which the base image or the machine must have: its wheel does not carry it"


def _python(lock: CogLock) -> Iterator[str]:
    yield f"Python {lock.own['asked']['python']}"
    yield "  because cog.yaml says python_version"


def _bases(lock: CogLock) -> Iterator[str]:
    rows = lock.own.get("bases", ())
    if not rows:
        yield "No base is locked: `cog lock` finds one"
    for row in rows:
        yield f"{row['name']} for {row['platform']}, {row['digest']}"
        yield f"  because {row['because']}"


def _others(names: Sequence[str]) -> str:
    """Say which packages there are, for whoever asked of one that is not there."""
    if not names:
        return "It has none; `cog why python` and `cog why base` have answers."
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"It has {', '.join(names[:SHOWN])}{more}."
