"""`cogyard migrate`: bring the database up to this release."""

from __future__ import annotations

from pathlib import Path

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import SilentExitError
from cogyard.cli.folder import data_dir, open_folder


@click.command(short_help="Bring the database up to this release.")
@click.option("--check", is_flag=True, help="Change nothing; end with 1 when there is something to do.")
@data_dir
def migrate(*, check: bool, data_dir: Path | None) -> None:
    """Bring the database up to this release, with the platform stopped. `cogyard up` does the same at its start.

    A copy of the database is made before, in `before-upgrades` of the data folder. A database of a newer release is
    refused and left as it is.
    """
    from cogyard.compose.administration import NeverStartedError, record
    from cogyard.compose.datadir import Hold
    from cogyard.compose.upgrade import copies, missing, open_database

    folder, console = open_folder(data_dir), Console()
    if not folder.exists():
        raise NeverStartedError(folder)
    found = missing(folder)
    if not found:
        console.done("The database is up to date.")
        return
    for one in found:
        click.echo(f"{one.number:04}_{one.name}")
    if check:
        console.say(f"{len(found)} migrations are to be applied.")
        raise SilentExitError(1)
    hold = Hold.take(folder)
    try:
        open_database(folder).close()
    finally:
        hold.release()
    record(folder, "migrate", f"to {found[-1].number:04}_{found[-1].name}")
    console.done(f"Applied. The database as it was is {copies(folder)[-1]}.")
