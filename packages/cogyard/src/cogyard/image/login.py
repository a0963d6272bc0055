"""Check credentials against a registry before they are kept."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from cogyard.image.push import token_page
from cogyard.oci import flows
from cogyard.oci.authorization import Credential
from cogyard.oci.client import RegistryClient
from cogyard.oci.errors import NotARegistryError, RegistryNotFoundError, RegistryRefusedError
from cogyard.oci.exchange import Call, Flow

__all__ = ["Verified", "check_password", "check_token", "is_open", "token_page"]


class Verified(msgspec.Struct):
    """Whose token it is."""

    username: str


def verify_token(token: str) -> Flow[str | None]:
    """Ask whose token it is; None when it is nobody's."""
    form = urlencode({"token": token}).encode()
    answer = yield Call(
        method="POST",
        url="/cog/v1/verify-token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=form,
        what="the token",
        refusals=True,
    )
    if answer.status != 200:
        return None
    try:
        return msgspec.json.decode(answer.body, type=Verified).username
    except (msgspec.MsgspecError, RecursionError):
        raise NotARegistryError("the answer about the token cannot be understood") from None


async def check_token(client: RegistryClient, token: str) -> Credential:
    """Return the credential of an API token of a platform of ours.

    Raises RegistryRefusedError when the token is not valid.
    """
    username = await client.run(lambda: verify_token(token))
    if username is None:
        raise RegistryRefusedError(
            f"{client.host} does not know this token",
            hint="Copy the whole token, or make a new one on the page of your tokens. Nothing was kept.",
        )
    return Credential(username=username, password=token)


async def is_open(client: RegistryClient) -> bool:
    """Whether the registry lets anyone in without asking; `client` has no credentials.

    Raises NotARegistryError.
    """
    try:
        await check_password(client)
    except RegistryRefusedError:
        return False
    return not client.challenged


async def check_password(client: RegistryClient) -> None:
    """Check the credentials `client` was made with.

    Raises RegistryRefusedError when they are wrong, NotARegistryError when there is no registry.
    """
    try:
        answer = await client.run(flows.ping)
    except RegistryNotFoundError:
        raise NotARegistryError(
            f"what answers at {client.host} is not a registry",
            hint="Is the host right? cog login HOST[:PORT]",
        ) from None
    if answer.status != 200:
        raise RegistryRefusedError(f"the registry {client.host} answered {answer.status}")
