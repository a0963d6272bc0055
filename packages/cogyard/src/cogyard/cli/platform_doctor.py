"""`cogyard doctor`: whether this machine is ready for a platform, and what to do where it is not."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from cogyard.cli.console import DIM, GREEN, RED, YELLOW, Console
from cogyard.cli.errors import SilentExitError

_SIGNS = {"good": ("✓", GREEN), "note": ("-", DIM), "warning": ("!", YELLOW), "error": ("✗", RED)}


@click.command(short_help="Look whether this machine is ready, and what to do where not.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--data-dir", metavar="DIR", help="The platform's folder; the user's data folder unless given.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A TOML file of settings.",
)
def doctor(*, as_json: bool, data_dir: str | None, config: Path | None) -> None:
    """Look at settings, data folder, disk, database, clock, address, memory, runtimes and GPUs; change nothing.

    Each finding says what to do next. Exit status: 0 when nothing stands in the way, also with warnings; 1 when
    something does.
    """
    from cogyard.compose.diagnosis import Level, diagnose
    from cogyard.compose.facts import gather

    findings = list(diagnose(gather({"data_dir": data_dir}, os.environ, config)))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2, ensure_ascii=False))
    else:
        console = Console(sys.stdout)
        for one in findings:
            sign, colour = _SIGNS[one.level]
            first, *rest = one.message.splitlines()
            console.say(f"{console.paint(sign, colour)} {one.check}: {first}")
            for line in rest:
                console.say(f"    {line}")
            if one.next_step:
                console.say(f"    {one.next_step}")
    if any(one.level is Level.ERROR for one in findings):
        raise SilentExitError(1)
