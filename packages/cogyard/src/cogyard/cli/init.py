"""`cog init`: write the files of a new model."""

from __future__ import annotations

from pathlib import Path

import click

from cogyard.cli.console import BOLD, Console


@click.command(short_help="Write cog.yaml and predict.py to start a model from.")
def init() -> None:
    """Write cog.yaml, predict.py, .dockerignore and requirements.txt into the current folder.

    Files that are there already are left as they are. What is written is a small model that runs.
    """
    from cogyard.project import templates

    console = Console()
    console.say("Setting up the current folder for use with Cog...\n")
    written = 0
    for name, created in templates.write(Path.cwd()):
        written += created
        console.say(f"{'Creating' if created else 'Skipped existing'} {console.paint(name, BOLD)}")
    console.say()
    if written:
        console.done("Done. Run it: cog predict -i text=world")
    else:
        console.say("Nothing was written: every file is here already.")
