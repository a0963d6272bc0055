"""`cogyard account`: make and list accounts, set passwords, hand out sign-in links."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console, plain
from cogyard.cli.errors import CommandError, MisuseError
from cogyard.cli.folder import data_dir, open_folder
from cogyard.cli.lazy import SuggestingGroup

if TYPE_CHECKING:
    from cogyard.domain.values import Account
    from cogyard.features.accounts.service import Accounts


@click.group(cls=SuggestingGroup, short_help="Make and list accounts.")
def account() -> None:
    """Make and list accounts, with the platform running or stopped."""


@account.command(short_help="Make an account, and a link that signs its owner in.")
@click.argument("username")
@click.option("--name", metavar="TEXT", help="The name to show; the user name unless given.")
@click.option("--admin", "is_admin", is_flag=True, help="Make an administrator.")
@click.option("--password-stdin", is_flag=True, help="Set a password, too: the one that is read from stdin.")
@data_dir
def add(
    username: str, *, name: str | None, is_admin: bool, password_stdin: bool, data_dir: Path | None
) -> None:
    """Make an account and print a one-time link that signs its owner in."""
    from cogyard.compose.administration import accounts_in, address_of, record, sign_in_address

    folder, password = open_folder(data_dir), _password(asked=password_stdin)

    async def work(accounts: Accounts) -> str:
        made = await accounts.create(username, name=name or username, password=password, is_admin=is_admin)
        return await accounts.create_login_link(made)

    with accounts_in(folder) as accounts:
        secret = asyncio.run(work(accounts))
    record(folder, "accounts.create", f"{username}{', an administrator' * is_admin}")
    Console().done(f"The account {username} is made. This link signs its owner in, once, within an hour:")
    click.echo(sign_in_address(address_of(folder), secret))


@account.command("list")
@data_dir
def list_accounts(*, data_dir: Path | None) -> None:
    """List the accounts."""
    from cogyard.compose.administration import accounts_in

    with accounts_in(open_folder(data_dir)) as accounts:
        found = asyncio.run(accounts.all())
    for one in found:
        kind = "administrator" if one.is_admin else one.type
        click.echo(f"{one.username:<40} {kind:<14} {one.created_at:%Y-%m-%d}  {plain(one.name)}")


@account.command()
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking.")
@data_dir
def password(username: str, *, password_stdin: bool, data_dir: Path | None) -> None:
    """Set an account's password."""
    from cogyard.compose.administration import accounts_in, record

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        found = find(accounts, username)
        fresh = _password(asked=password_stdin)
        if fresh is None:
            fresh = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        asyncio.run(accounts.set_password(found, fresh))
    record(folder, "accounts.password", username)
    Console().done(f"The password of {username} is set.")


@account.command(short_help="Delete an account and all that is its own.")
@click.argument("username")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir
def delete(username: str, *, yes: bool, data_dir: Path | None) -> None:
    """Delete USERNAME, who owns no models or deployments any more, with their predictions, files and tokens.

    Refused for the last owner of an organization, and the last administrator. `cogyard export` writes down first what
    will be gone.
    """
    from cogyard.compose.administration import accounts_in, record

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        found = find(accounts, username)
        confirmed(f"Delete {found.username} with all predictions and files?", yes=yes)
        asyncio.run(accounts.close(found))
    record(folder, "accounts.delete", found.username)
    Console().done(f"The account {found.username} is deleted.")


def confirmed(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; raise CommandError for anything but a yes."""
    if yes:
        return
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:
        if sys.stdin.isatty():
            raise  # Ctrl-C
        click.echo(err=True)
        raise CommandError(
            "nothing was deleted, since nobody is there to say yes", hint="In a script, say --yes."
        ) from None
    raise CommandError("nothing was deleted")


def find(accounts: Accounts, username: str) -> Account:
    """Return the account of a name, to act for it as its owner; raise CommandError when there is none."""
    from cogyard.domain.roles import Role

    found = asyncio.run(accounts.get(username))
    if found is None:
        raise CommandError(
            f"there is no account {username}", hint="`cogyard account list` shows those that there are."
        )
    return replace(found, role=Role.OWNER)


def _password(*, asked: bool) -> str | None:
    if not asked:
        return None
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise MisuseError("--password-stdin: there is nothing on standard input")
    return text
