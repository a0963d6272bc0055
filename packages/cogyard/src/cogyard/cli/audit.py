"""`cogyard audit`: who did what, to what, from where."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cogyard.cli.console import Console, plain
from cogyard.cli.errors import MisuseError
from cogyard.cli.folder import data_dir, open_folder

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.command(short_help="Show who did what, to what, from where.")
@click.option("--account", metavar="NAME", help="Only what this account, or system user, did.")
@click.option(
    "--action", metavar="WORDS", help="Only this action, such as models.delete, or all below: models."
)
@click.option(
    "--since", metavar="TIME", help="Only what came after: 30m, 12h, 7d, 4w, or a date as in 2026-11-26."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="At most so many, the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@data_dir
def audit(
    *,
    account: str | None,
    action: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Show changes, refused ones too, sign-ins and the operator's own commands, newest first: who, how, what, to what.

    Predictions and files are not here: each keeps by itself whose it is. Entries stay for `audit_days`.
    """
    from cogyard.compose.administration import audit_in
    from cogyard.features.audit.ports import Wanted

    wanted = Wanted(actor=account, action=action, since=_moment(since), limit=limit)
    with audit_in(open_folder(data_dir)) as found:
        entries = asyncio.run(found.entries(wanted))
    for one in entries:
        if as_json:
            click.echo(json.dumps({**asdict(one), "at": one.at.isoformat()}, ensure_ascii=False))
            continue
        outcome = f"refused {one.refused}" if one.refused is not None else ""
        words = (one.actor or "somebody", one.via, one.action, outcome, one.subject, one.client)
        shown = "  ".join(plain(word) for word in words if word)
        click.echo(f"{one.at:%Y-%m-%d %H:%M:%S}  {shown}")
    if not entries:
        Console().say("Nothing is in the log of what was asked for.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if (match := re.fullmatch(r"(\d{1,6})([mhdw])", text)) is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise MisuseError(
            f"--since {text}: the form is 30m, 12h, 7d, 4w, or a date as in 2026-11-26"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
