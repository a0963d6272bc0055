"""`cogyard export`: all that is one account's."""

from __future__ import annotations

from pathlib import Path

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import SilentExitError
from cogyard.cli.folder import data_dir, open_folder


@click.command(short_help="Write all that is one account's to a folder.")
@click.argument("username")
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--images", is_flag=True, help="Write the images of USERNAME's models too, as an OCI image layout."
)
@data_dir
def export(username: str, target: Path, *, images: bool, data_dir: Path | None) -> None:
    """Write what is USERNAME's to a new FOLDER: models, versions, predictions, files, a line of JSON for each thing.

    As of one moment; the platform may run. Passwords, tokens and secrets stay behind. With --images FOLDER/images is an
    OCI image layout that skopeo, crane and podman read; without, any of them copies images from the registry. An export
    that broke off has `unfinished.json` in its folder; the same command goes on with it. Ends with 1 when bytes of
    files or layers are missing; the rest is written.
    """
    from cogyard.compose import export_folder as exporting
    from cogyard.compose.administration import NeverStartedError, noting

    folder, console, place = open_folder(data_dir), Console(), target.absolute()
    if not folder.exists():
        raise NeverStartedError(folder)
    subject, refusal = f"{username}: {place}", exporting.ExportError
    noted = noting(folder, "export", subject, refusal=refusal, warn=console.warn)
    try:
        with console.working("Exporting"), noted:
            done = exporting.export(folder, username, place, images=images)
    except exporting.ExportError:
        raise
    except BaseException:
        if exporting.is_unfinished(place):
            console.warn(f"{target} is not whole; the same command goes on where it broke off.")
        raise
    if done.kept:
        console.say(f"{done.kept} files and layers were there already.")
    counts = ", ".join(_count(count, kind) for kind, count in sorted(done.rows.items()) if kind != "account")
    more = "" if done.images is None else f", {_count(done.images, 'images')}"
    console.done(f"{target} holds {username}: {counts or 'nothing but the account'}{more}.")
    if done.missing:
        console.warn(
            f"the bytes of {done.missing} files or layers are missing or damaged on the platform's disk"
        )
        raise SilentExitError(1)


def _count(count: int, kind: str) -> str:
    return f"{count} {kind.removesuffix('s') if count == 1 else kind}"
