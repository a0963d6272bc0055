"""`cogyard gc`: remove what no image of the platform uses any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from cogyard.cli.build import size
from cogyard.cli.console import Console
from cogyard.cli.folder import data_dir, open_folder


@click.command(short_help="Remove layers that no image uses.")
@click.option(
    "--older-than",
    type=click.FloatRange(0, 24 * 3650),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="Leave what was wanted within this time: a push may still be going on.",
)
@data_dir
def gc(*, older_than: float, data_dir: Path | None) -> None:
    """Remove layers that no image uses and uploads that expired, with the platform running or stopped.

    A platform that runs does this by itself every hour. Images, tags and versions stay.
    """
    from cogyard.compose.administration import record
    from cogyard.compose.collecting import collect_in

    folder = open_folder(data_dir)
    done = collect_in(folder, timedelta(hours=older_than))
    if done.blobs:
        record(folder, "gc", f"{done.blobs} layers, {done.size} bytes")
    Console().done(f"{done.blobs} unused layers removed, {size(done.size)} came free")
