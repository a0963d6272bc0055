"""`cogyard link`: a one-time sign-in link for an account."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.account import find
from cogyard.cli.folder import data_dir, open_folder

if TYPE_CHECKING:
    from cogyard.features.accounts.service import Accounts


@click.command(short_help="Make a one-time sign-in link.")
@click.argument("username", required=False)
@data_dir
def link(username: str | None, *, data_dir: Path | None) -> None:
    """Print a link that signs USERNAME in, once, within an hour; the first administrator unless named."""
    from cogyard.compose.administration import (
        accounts_in,
        address_of,
        administrator_of,
        record,
        sign_in_address,
    )

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        found = find(accounts, username or _administrator(accounts, administrator_of(folder)))
        secret = asyncio.run(accounts.create_login_link(found))
    record(folder, "signin.link.create", found.username)
    click.echo(sign_in_address(address_of(folder), secret))


def _administrator(accounts: Accounts, likely: str) -> str:
    """Return whom the platform named last, when that is an administrator, else the first who was made one.

    A later start names nobody, and the system's user then need not be an account: `cogyard up --admin NAME` made it.
    """
    there = [one for one in asyncio.run(accounts.all()) if one.is_admin]
    first = min(there, key=lambda one: one.id, default=None)
    return likely if first is None or likely in {one.username for one in there} else first.username
