"""`cogyard backup` and `cogyard restore`: a platform as a folder, and back."""

from __future__ import annotations

from pathlib import Path

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console
from cogyard.cli.errors import SilentExitError
from cogyard.cli.folder import data_dir, open_folder


@click.command(short_help="Copy everything to a folder, with the platform running or stopped.")
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@data_dir
def backup(target: Path, *, data_dir: Path | None) -> None:
    """Copy accounts, models, predictions, images and files to FOLDER, as of one moment.

    The platform may go on running. FOLDER is made, or, when it is an earlier backup, brought up to date: what is there
    is not copied again. Whoever reads it can act for every account: keep it as safe as the platform itself. Ends with 1
    when bytes that the database speaks of are missing or damaged on the platform's disk; the rest is kept all the same.
    """
    from cogyard.compose.administration import NeverStartedError, noting
    from cogyard.compose.backup import BackupError, take

    folder, console = open_folder(data_dir), Console()
    if not folder.exists():
        raise NeverStartedError(folder)
    noted = noting(folder, "backup", str(target.absolute()), refusal=BackupError, warn=console.warn)
    with console.working("Copying") as step, noted:
        taken = take(folder, target.absolute(), progress=step.detail)
    contents = taken.contents
    console.done(
        f"{target} holds {contents.accounts} accounts, {contents.predictions} predictions and {taken.blobs} blobs, "
        f"{size(taken.size)}; {size(taken.copied)} were new."
    )
    for one in taken.missing[:10]:
        console.warn(f"missing or damaged on the platform's disk: {one}")
    if taken.missing:
        console.warn(f"{len(taken.missing)} blobs are not in the backup.")
        raise SilentExitError(1)


@click.command(short_help="Make a platform of a backup.")
@click.argument("source", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--replace",
    is_flag=True,
    help="Take the place of the platform in the data folder; its database is put aside, not removed.",
)
@data_dir
def restore(source: Path, *, replace: bool, data_dir: Path | None) -> None:
    """Make a platform of the backup in FOLDER, in a data folder that has none. All of it is checked first.

    Predictions that waited or ran when the backup was made run at the next start, and their webhooks are told: where
    the platform that was backed up still lives, they run twice.
    """
    from cogyard.compose import restore as restoring
    from cogyard.compose.administration import record

    folder, console = open_folder(data_dir), Console()
    with console.working("Restoring") as step:
        contents, aside = restoring.restore(source.absolute(), folder, replace=replace, progress=step.detail)
    record(folder, "restore", str(source.absolute()))
    console.done(
        f"{folder.root} holds {contents.accounts} accounts and {contents.predictions} predictions again."
    )
    if aside is not None:
        console.say(f"The database that was there is in {aside}.")
    console.say(f"Start it: cogyard up --data-dir {folder.root}")
