"""`cogyard organization`: make and list organizations, say who is a member, delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cogyard.cli.account import confirmed, find
from cogyard.cli.console import Console, plain
from cogyard.cli.errors import CommandError
from cogyard.cli.folder import data_dir, open_folder
from cogyard.cli.lazy import SuggestingGroup
from cogyard.http.errors import NotFoundError

ROLES = ("reader", "writer", "admin", "owner")


@click.group(cls=SuggestingGroup, short_help="Make organizations, and say who is a member.")
def organization() -> None:
    """Make organizations, and say who is a member, with the platform running or stopped.

    Members look and run as a `reader`; also push, change and deploy as a `writer`; also decide about members, tokens
    and deletions as an `admin`; also about owners as an `owner`. What is said here counts at once: nobody has to accept
    it.
    """


@organization.command()
@click.argument("username", metavar="ORGANIZATION")
@click.option("--owner", required=True, metavar="USERNAME", help="The account that owns it.")
@click.option("--name", metavar="TEXT", help="The name to show; ORGANIZATION unless given.")
@data_dir
def add(username: str, *, owner: str, name: str | None, data_dir: Path | None) -> None:
    """Make an organization."""
    from cogyard.compose.administration import accounts_in, organizations_in, record

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        person = find(accounts, owner)
    with organizations_in(folder) as organizations:
        made = asyncio.run(organizations.create(person, username, name=name or ""))
    record(folder, "organizations.create", f"{username}, owned by {person.username}")
    Console().done(f"The organization {made.username} is made; {person.username} owns it.")


@organization.command("list", short_help="List the organizations.")
@data_dir
def list_organizations(*, data_dir: Path | None) -> None:
    """List the organizations: name, how many members, day made, name that is shown."""
    from cogyard.compose.administration import accounts_in, operator, organizations_in

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        found = [one for one in asyncio.run(accounts.all()) if one.type == "organization"]
    with organizations_in(folder) as organizations:
        for one in found:
            members = asyncio.run(organizations.members(operator(), one.username))
            count = sum(each.joined for each in members)
            click.echo(f"{one.username:<40} {count:>5}  {one.created_at:%Y-%m-%d}  {plain(one.name)}")


@organization.command(short_help="List an organization's members.")
@click.argument("organization")
@data_dir
def members(organization: str, *, data_dir: Path | None) -> None:
    """List ORGANIZATION's members: user name, role, since when; or that they are invited."""
    from cogyard.compose.administration import operator, organizations_in

    with organizations_in(open_folder(data_dir)) as organizations, _named(organization):
        found = asyncio.run(organizations.members(operator(), organization))
    for each in found:
        joined_at = each.standing.joined_at
        since = "invited" if joined_at is None else f"{joined_at:%Y-%m-%d}"
        click.echo(f"{each.username:<40} {each.role:<7} {since}")


@organization.command("set-member", short_help="Make somebody a member, or change the role.")
@click.argument("organization")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the member may do.")
@data_dir
def set_member(organization: str, username: str, *, role: str, data_dir: Path | None) -> None:
    """Make USERNAME a member of ORGANIZATION, or change what the member may do."""
    from cogyard.compose.administration import accounts_in, operator, organizations_in, record
    from cogyard.domain.roles import Role

    folder = open_folder(data_dir)
    with accounts_in(folder) as accounts:
        find(accounts, username)
    with organizations_in(folder) as organizations, _named(organization):
        made = asyncio.run(
            organizations.put_member(operator(), organization, username, Role(role), at_once=True)
        )
    record(folder, "organizations.members.put", f"{organization}/{made.username}: {role}")
    Console().done(f"{made.username} is {role} of {organization}.")


@organization.command("remove-member", short_help="Remove a member, at once.")
@click.argument("organization")
@click.argument("username")
@data_dir
def remove_member(organization: str, username: str, *, data_dir: Path | None) -> None:
    """Remove USERNAME from ORGANIZATION, from their next request on."""
    from cogyard.compose.administration import operator, organizations_in, record

    folder = open_folder(data_dir)
    with organizations_in(folder) as organizations, _named(organization, username):
        asyncio.run(organizations.remove_member(operator(), organization, username))
    record(folder, "organizations.members.remove", f"{organization}/{username}")
    Console().done(f"{username} is no member of {organization}.")


@organization.command(short_help="Delete an organization and all that is its own.")
@click.argument("organization")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir
def delete(organization: str, *, yes: bool, data_dir: Path | None) -> None:
    """Delete ORGANIZATION, which owns no models or deployments any more, with its predictions, files and tokens."""
    from cogyard.compose.administration import operator, organizations_in, record

    folder = open_folder(data_dir)
    with organizations_in(folder) as organizations, _named(organization):
        asyncio.run(organizations.get(operator(), organization))
        confirmed(f"Delete {organization} with its predictions and files?", yes=yes)
        asyncio.run(organizations.delete(operator(), organization))
    record(folder, "organizations.delete", organization)
    Console().done(f"The organization {organization} is deleted.")


@contextmanager
def _named(organization: str, member: str | None = None) -> Iterator[None]:
    """Say of what is not there what it is called: raise CommandError instead of NotFoundError."""
    try:
        yield
    except NotFoundError as error:
        what = f"there is no organization {organization}"
        hint = "`cogyard organization list` shows those that there are."
        if member is not None:
            what += f", or {member} is no member of it"
            hint = f"`cogyard organization members {organization}` shows who is."
        raise CommandError(what, hint=hint) from error
