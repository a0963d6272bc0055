"""`cogyard token`: make, list and revoke API tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cogyard.cli.account import find
from cogyard.cli.console import Console, plain
from cogyard.cli.errors import CommandError
from cogyard.cli.folder import data_dir, open_folder
from cogyard.cli.lazy import SuggestingGroup


@click.group(cls=SuggestingGroup, short_help="Make, list and revoke API tokens.")
def token() -> None:
    """Make, list and revoke API tokens, with the platform running or stopped."""


@token.command(short_help="Make a token and print it, this once.")
@click.argument("username")
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option(
    "--scope",
    type=click.Choice(["read", "run", "write"]),
    default="write",
    show_default=True,
    help="How far it reaches: only look; also run models and upload files; everything.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="After how many days it ends; never without this.")
@data_dir
def create(username: str, *, name: str, scope: str, days: int | None, data_dir: Path | None) -> None:
    """Make a token for USERNAME and print it; it is not shown again."""
    from cogyard.compose.administration import accounts_in, record
    from cogyard.domain.scopes import Scope

    folder = open_folder(data_dir)
    ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with accounts_in(folder) as accounts:
        account = find(accounts, username)
        secret = asyncio.run(accounts.create_token(account, name, scope=Scope(scope), expires_at=ends))
    record(folder, "tokens.create", f"{username}: {name}")
    click.echo(secret)


@token.command("list", short_help="List an account's tokens.")
@click.argument("username")
@data_dir
def list_tokens(username: str, *, data_dir: Path | None) -> None:
    """List USERNAME's tokens: number, last characters, day made, last day, scope, name."""
    from cogyard.compose.administration import accounts_in

    with accounts_in(open_folder(data_dir)) as accounts:
        found = asyncio.run(accounts.tokens(find(accounts, username)))
    for one in found:
        ends = f"{one.expires_at:%Y-%m-%d}" if one.expires_at is not None else "no end    "
        scope = f"{one.scope.value:<5}"
        click.echo(f"{one.id:<8} …{one.tail}  {one.created_at:%Y-%m-%d}  {ends}  {scope}  {plain(one.name)}")


@token.command(short_help="End a token, at once.")
@click.argument("username")
@click.argument("number", type=int)
@data_dir
def revoke(username: str, number: int, *, data_dir: Path | None) -> None:
    """End the token NUMBER of USERNAME, from now on."""
    from cogyard.compose.administration import accounts_in, record

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        ended = asyncio.run(accounts.revoke(find(accounts, username), number))
    if not ended:
        raise CommandError(
            f"{username} has no token {number}", hint=f"`cogyard token list {username}` shows the numbers."
        )
    record(folder, "tokens.revoke", f"{username}: {number}")
    Console().done(f"Token {number} of {username} is revoked.")
