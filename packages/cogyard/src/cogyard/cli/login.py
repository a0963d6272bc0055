"""`cog login`: check credentials against a registry, and keep them where docker does."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError

if TYPE_CHECKING:
    from cogyard.oci.authorization import Credential

#: A token or a password is never this long; more on stdin is a mistake.
_MOST = 8192


@click.command(short_help="Keep the credentials of a registry.")
@click.argument("host")
@click.option("--token-stdin", is_flag=True, help="Read the token, or the password, from stdin.")
@click.option("-u", "--username", metavar="NAME", help="The user name, for a registry that asks for one.")
def login(*, host: str, token_stdin: bool, username: str | None) -> None:
    """Check a token (or a user name and password) against HOST, and keep it in docker's configuration.

    `cog push` and `docker push` both use it from there.
    """
    from cogyard.oci.credentials import config_path, keep
    from cogyard.oci.reference import is_host

    host = host.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not is_host(host):
        raise MisuseError(
            f"`{host}` is not a registry's HOST or HOST:PORT", hint="For example: cog login 127.0.0.1:8080"
        )
    console = Console()
    # Nothing is asked of a person inside `asyncio.run`, where the first Ctrl-C would only cancel what waits for them.
    page = asyncio.run(_token_page(host)) if username is None else None
    if page is not None:
        if not token_stdin:
            console.say(f"Get a token at {page}")
        credential = asyncio.run(_by_token(host, _secret("Token", from_stdin=token_stdin)))
    else:
        credential = _by_password(host, username, token_stdin=token_stdin)
    path = config_path(os.environ)
    kept = keep(host, credential, path)
    console.done(f"Logged in to {host} as {credential.username}; kept in {kept}")


async def _token_page(host: str) -> str | None:
    from cogyard.image.login import token_page
    from cogyard.oci.settings import client_for

    async with client_for(host, os.environ, None) as client:
        return await client.run(token_page)


async def _by_token(host: str, token: str) -> Credential:
    from cogyard.image.login import check_token
    from cogyard.oci.settings import client_for

    async with client_for(host, os.environ, None) as client:
        return await check_token(client, token)


def _by_password(host: str, username: str | None, *, token_stdin: bool) -> Credential:
    from cogyard.oci.authorization import Credential

    asyncio.run(_refuse_open(host))
    if username is None:
        if token_stdin:
            raise MisuseError(
                f"{host} asks for a user name too", hint=f"cog login {host} --username NAME --token-stdin"
            )
        username = click.prompt("Username", err=True)
    credential = Credential(username=username, password=_secret("Password", from_stdin=token_stdin))
    asyncio.run(_check_password(host, credential))
    return credential


async def _refuse_open(host: str) -> None:
    from cogyard.image.login import is_open
    from cogyard.oci.settings import client_for

    async with client_for(host, os.environ, None) as client:
        if await is_open(client):
            raise MisuseError(f"{host} does not ask who you are; there is nothing to log in to")


async def _check_password(host: str, credential: Credential) -> None:
    from cogyard.image.login import check_password
    from cogyard.oci.settings import client_for

    async with client_for(host, os.environ, credential) as client:
        await check_password(client)


def _secret(what: str, *, from_stdin: bool) -> str:
    given = sys.stdin.read(_MOST + 1) if from_stdin else click.prompt(what, hide_input=True, err=True)
    secret = str(given).strip()
    if not secret or len(secret) > _MOST or not secret.isprintable():
        raise MisuseError(f"the {what.lower()} is empty, or not one line of at most {_MOST} characters")
    return secret
