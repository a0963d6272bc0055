"""`cogyard link`: a one-time sign-in link for an account."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cogyard.cli.account import find
from cogyard.cli.folder import data_dir, open_folder


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
        found = find(accounts, username or administrator_of(folder))
        secret = asyncio.run(accounts.create_login_link(found))
    record(folder, "signin.link.create", found.username)
    click.echo(sign_in_address(address_of(folder), secret))
