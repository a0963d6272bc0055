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
    from cogyard.oci.reference import is_host

    host = host.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not is_host(host):
        raise MisuseError(
            f"`{host}` is not a registry's HOST or HOST:PORT", hint="For example: cog login 127.0.0.1:8080"
        )
    asyncio.run(_login(host, token_stdin=token_stdin, username=username))


async def _login(host: str, *, token_stdin: bool, username: str | None) -> None:
    from cogyard.image.login import check_token, token_page
    from cogyard.oci.credentials import config_path, keep
    from cogyard.oci.settings import client_for

    console = Console()
    path = config_path(os.environ)
    async with client_for(host, os.environ, None) as client:
        page = await client.run(token_page) if username is None else None
        if page is not None:
            if not token_stdin:
                console.say(f"Get a token at {page}")
            credential = await check_token(client, _secret("Token", from_stdin=token_stdin))
    if page is None:
        credential = await _password(host, username, token_stdin=token_stdin)
    kept = keep(host, credential, path)
    console.done(f"Logged in to {host} as {credential.username}; kept in {kept}")


async def _password(host: str, username: str | None, *, token_stdin: bool) -> Credential:
    from cogyard.image.login import check_password, is_open
    from cogyard.oci.authorization import Credential
    from cogyard.oci.settings import client_for

    async with client_for(host, os.environ, None) as client:
        if await is_open(client):
            raise MisuseError(f"{host} does not ask who you are; there is nothing to log in to")
    if username is None:
        if token_stdin:
            raise MisuseError(
                f"{host} asks for a user name too", hint=f"cog login {host} --username NAME --token-stdin"
            )
        username = click.prompt("Username", err=True)
    credential = Credential(username=username, password=_secret("Password", from_stdin=token_stdin))
    async with client_for(host, os.environ, credential) as client:
        await check_password(client)
    return credential


def _secret(what: str, *, from_stdin: bool) -> str:
    given = sys.stdin.read(_MOST + 1) if from_stdin else click.prompt(what, hide_input=True, err=True)
    secret = str(given).strip()
    if not secret or len(secret) > _MOST or not secret.isprintable():
        raise MisuseError(f"the {what.lower()} is empty, or not one line of at most {_MOST} characters")
    return secret
