"""`cogyard status`: what runs and what waits."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cogyard.cli.console import BOLD, DIM, Console, plain
from cogyard.cli.errors import SilentExitError
from cogyard.cli.folder import data_dir, open_folder

#: As with a system's own services: 3 says that it does not run.
_NOT_RUNNING = 3


@click.command(short_help="Show what runs and what waits.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_dir
def status(*, as_json: bool, data_dir: Path | None) -> None:
    """Show the platform of this folder: its address, instances, and what waits. Exit status 3: it does not run."""
    from cogyard.compose.administration import NeverStartedError
    from cogyard.compose.datadir import is_held, read_holder
    from cogyard.compose.status import read_status

    folder = open_folder(data_dir)
    if not folder.exists():
        raise NeverStartedError(folder)
    running = is_held(folder)
    holder = read_holder(folder) if running else {}
    state = read_status(folder.status_file) if running else {}
    if as_json:
        click.echo(json.dumps({"running": running, "data_dir": str(folder.root), **holder, **state}))
    elif running:
        _show(Console(sys.stdout), holder, state)
    else:
        click.echo(f"No platform runs on {folder.root}.")
    if not running:
        raise SilentExitError(_NOT_RUNNING)


def _show(console: Console, holder: dict[str, Any], state: dict[str, Any]) -> None:
    address = holder.get("public_address", "an unknown address")
    console.done(f"Running at {console.paint(address, BOLD)} (process {holder.get('pid', '?')})")
    if "runtime" in holder:
        console.say(f"Runtime: {holder['runtime']}")
    instances, waiting = state.get("instances", []), state.get("waiting", {})
    console.say(f"Instances: {len(instances)}    Waiting predictions: {sum(waiting.values())}")
    if hardware := state.get("hardware"):
        console.say(f"Held: {', '.join(map(_held, hardware))}")
    now = datetime.now(UTC)
    for one in sorted(instances, key=lambda found: str(found.get("since"))):
        since = _ago(now, str(one["since"]))
        busy = f"{one['busy']}/{one['slots']} busy"
        console.say(f"  {one['id']}  {one['phase']:<9} {busy:<9} {console.paint(f'for {since}', DIM)}")
    for version, count in waiting.items():
        why = state.get("reasons", {}).get(version, {}).get("detail", "")
        console.say(f"  {version[:12]}  {count} waiting  {console.paint(plain(why), DIM)}".rstrip())
    for version, trouble in state.get("troubles", {}).items():
        first = plain(str(trouble["reason"]).partition("\n")[0])
        until = datetime.fromisoformat(str(trouble.get("unasked_before", trouble["not_before"])))
        next_try = f" (not started unasked before {until:%H:%M:%S} UTC)" if until > now else ""
        console.warn(f"{version[:12]} failed {trouble['failures']} times: {first}{next_try}")


def _held(one: dict[str, Any]) -> str:
    if one["resource"] == "memory_bytes":
        return f"{one['held'] / (1 << 30):.1f} of {one['whole'] / (1 << 30):.1f} GiB"
    name = "processors" if one["resource"] == "cpus" else f"{one['kind']} GPUs".strip()
    return f"{one['held']:g} of {one['whole']:g} {name}"


def _ago(now: datetime, since: str) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
