"""`cog lock`: resolve the model's packages for its platforms, and write them down with the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError, SilentExitError
from cogyard.cli.options import config_file

if TYPE_CHECKING:
    from cogyard.environment import CogLock
    from cogyard.environment.making import LockedBase
    from cogyard.project import Project


@click.command(short_help="Write cog.lock: every package with its hash and why it is there.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="linux/amd64 or linux/arm64, also several times; those of the lock there is, else this machine's.",
)
@click.option("-U", "--upgrade", is_flag=True, help="Take the newest versions that fit, and the newest base.")
@click.option(
    "-P",
    "--upgrade-package",
    "names",
    multiple=True,
    metavar="NAME",
    help="Take the newest version of this package that fits; may be given several times.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; end with 1 when cog.lock does not match the project."
)
@click.option(
    "--base/--no-base", default=True, help="Whether to find the base image and write down its digest."
)
@config_file
def lock(
    *,
    platforms: tuple[str, ...],
    upgrade: bool,
    names: tuple[str, ...],
    check: bool,
    base: bool,
    filename: str,
) -> None:
    """Resolve the model's packages for its platforms, and write them into cog.lock beside cog.yaml.

    predict, serve, build and push take their packages from it as long as it matches the project. Without --upgrade,
    versions that are locked stay unless they no longer fit.
    """
    from cogyard.cli.prepare import open_project
    from cogyard.environment import LockInvalidError, lock_path, read_lock

    console = Console()
    _refuse_platforms(platforms)
    project = open_project(filename, console)
    path = lock_path(project)
    try:
        previous = read_lock(project)
    except LockInvalidError as error:
        if check:
            raise
        console.warn(error.message, "It is written anew, without regard to it.")
        previous = None
    if check:
        _check(project, previous, platforms, console)
        return
    made = _make(project, previous, platforms, console, upgrade=upgrade, names=names, base=base)
    tell_of_unknown(names, [str(one["name"]) for one in made.packages], console)
    text = made.text
    if previous is not None and path.read_text("utf-8") == text:
        console.done(f"{path.name} is up to date: {_summary(made)}")
        return
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
    for line in changed(previous.packages if previous else (), made.packages):
        console.say(f"  {line}")
    console.done(f"Wrote {path.name}: {_summary(made)}")


def _refuse_platforms(platforms: Sequence[str]) -> None:
    """Refuse a platform that no image is made for before anything is asked of an index or a registry."""
    from cogyard.environment.target import PLATFORMS
    from cogyard.project.suggest import did_you_mean

    for each in platforms:
        if each not in PLATFORMS:
            raise MisuseError(
                f"--platform is one of {', '.join(PLATFORMS)}, not `{each}`",
                hint=did_you_mean(each, PLATFORMS),
            )


def tell_of_unknown(names: Sequence[str], there: Sequence[str], console: Console) -> None:
    """Say of a package to upgrade that the model has none of that name: it is most often misspelt."""
    from cogyard.environment.reasons import canonical
    from cogyard.project.suggest import did_you_mean

    for name in names:
        if canonical(name) not in there:
            console.warn(f"`{name}` is not among the model's packages", did_you_mean(canonical(name), there))


def changed(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what differs between two lists of packages, a line each: + added, - gone, ~ another version."""
    old, new = _versions(before), _versions(now)
    lines = []
    for name in sorted({*old, *new}):
        if name not in old:
            lines.append(f"+ {name} {new[name]}")
        elif name not in new:
            lines.append(f"- {name} {old[name]}")
        elif old[name] != new[name]:
            lines.append(f"~ {name} {old[name]} -> {new[name]}")
    return lines


def make(project: Project, console: Console) -> CogLock:
    """Return a lock of the project for this machine's platform without writing it."""
    return _make(project, None, (), console, upgrade=False, names=(), base=False)


def _make(
    project: Project,
    previous: CogLock | None,
    platforms: tuple[str, ...],
    console: Console,
    *,
    upgrade: bool,
    names: tuple[str, ...],
    base: bool,
) -> CogLock:
    from cogyard.environment.making import make_lock
    from cogyard.environment.reasons import canonical
    from cogyard.image.platforms import local_platform

    wanted = platforms or (previous.platforms if previous else ()) or (local_platform(),)
    with console.working("Locking") as step:
        bases = [
            found
            for each in wanted
            if base and (found := _base(project, previous, each, console, upgrade=upgrade))
        ]
        return make_lock(
            project,
            wanted,
            previous=previous,
            upgrade=None if upgrade else {canonical(name) for name in names},
            bases=bases,
            on_progress=step.detail,
            on_warning=console.warn,
        )


def _base(
    project: Project, previous: CogLock | None, platform: str, console: Console, *, upgrade: bool
) -> LockedBase | None:
    from cogyard.environment import cache_dir
    from cogyard.environment.making import LockedBase
    from cogyard.errors import CogyardError
    from cogyard.image.bases.pin import pin_base
    from cogyard.image.build import local_store
    from cogyard.image.site import Site

    kept = previous.base(platform) if previous is not None and not upgrade else None
    if (
        kept is not None
        and previous is not None
        and previous.own.get("asked", {}).get("python") == project.python_version
    ):
        return LockedBase(**kept)
    try:
        return pin_base(project, platform, Site(store=local_store(), cache=cache_dir()), refresh=upgrade)
    except CogyardError as error:
        console.warn(f"the base for {platform} is not locked: {error.message}", error.hint)
        return None


def _check(project: Project, kept: CogLock | None, platforms: tuple[str, ...], console: Console) -> None:
    from cogyard.environment import asked_of, lock_path

    name = lock_path(project).name
    if kept is None:
        raise CommandError(f"there is no {name}", hint="`cog lock` writes it.")
    changes = kept.changes(asked_of(project))
    changes += [f"{each} is not among its platforms" for each in platforms if each not in kept.platforms]
    if not changes:
        console.done(f"{name} matches the project: {_summary(kept)}")
        return
    console.error(f"{name} is stale:", "\n  ".join([*changes, "`cog lock` brings it up to date."]))
    raise SilentExitError(1)


def _summary(made: CogLock) -> str:
    count = len(made.packages)
    packages = "1 package" if count == 1 else f"{count} packages"
    python = made.own.get("asked", {}).get("python", "")
    cuda = made.own.get("cuda")
    return f"Python {python}, {packages} for {' and '.join(made.platforms)}" + (
        f", CUDA {cuda['version']}" if cuda else ""
    )


def _versions(packages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for one in packages:
        found.setdefault(str(one["name"]), []).append(str(one.get("version", "from its source")))
    return {name: " and ".join(dict.fromkeys(versions)) for name, versions in found.items()}
