"""`cogyard retention`: how long predictions hold their data."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.folder import data_dir, open_folder
from cogyard.cli.lazy import SuggestingGroup

if TYPE_CHECKING:
    from cogyard.domain.retention import Keep

_NOTHING = "default"


@click.group(cls=SuggestingGroup, short_help="Show and set how long predictions hold their data.")
def retention() -> None:
    """Show and set how long predictions hold their data, with the platform running or stopped.

    The most specific setting wins: a deployment's, a model's, an account's, the platform's `keep_predictions`.
    """


@retention.command("list", short_help="List what was set.")
@data_dir
def list_settings(*, data_dir: Path | None) -> None:
    """List what was set: of what, its name, how long."""
    from cogyard.compose.keeps import keeps_in

    with keeps_in(open_folder(data_dir)) as keeps:
        found = asyncio.run(keeps.all())
    for scope, name, keep in found:
        click.echo(f"{scope:<11} {name:<50} {keep}")
    if not found:
        Console().say("Nothing is set: the platform's `keep_predictions` holds for everything.")


@retention.command("set")
@click.argument(
    "scope", metavar="account|model|deployment", type=click.Choice(["account", "model", "deployment"])
)
@click.argument("name")
@click.argument("keep")
@data_dir
def set_one(scope: str, name: str, keep: str, *, data_dir: Path | None) -> None:
    """Set how long predictions of NAME hold their data.

    NAME is an account's name, or owner/name of a model or deployment. KEEP is 12h, 30d, 4w or a number of seconds, from
    one hour to ten years; `forever`; or `default` for what holds without a setting.
    """
    from cogyard.compose.administration import record
    from cogyard.compose.keeps import keeps_in
    from cogyard.domain.retention import Scope

    folder, wanted = open_folder(data_dir), _keep(keep)
    with keeps_in(folder) as keeps:
        known = asyncio.run(keeps.set(Scope(scope), name, wanted))
    if not known:
        written = scope == "account" or "/" in name
        hint = None if written else f"Write OWNER/NAME: cogyard retention set {scope} OWNER/{name} {keep}"
        raise CommandError(f"there is no {scope} {name}", hint=hint)
    record(folder, "retention.set", f"{scope}s/{name}: {keep}")
    until = "as long as the less specific setting says" if wanted is None else str(wanted)
    Console().done(f"Predictions of the {scope} {name} hold their data {until}.")


def _keep(text: str) -> Keep | None:
    from cogyard.domain.retention import problem_of, read

    if text == _NOTHING:
        return None
    found = read(text)
    if found is None:
        raise MisuseError(
            f"{text!r} is no time; say 12h, 30d, 4w, a number of seconds, forever or {_NOTHING}"
        )
    if found.seconds is not None and (problem := problem_of(found.seconds)) is not None:
        raise MisuseError(problem)
    return found
