"""The registry's ports, answered by the platform's services: accounts, models and versions.

The services are named by what is asked of them here, since siblings do not import each other; `compose` passes the
real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from cogyard.domain.ids import TOKEN_PREFIX
from cogyard.domain.names import model_name_problem
from cogyard.domain.values import Account, Model
from cogyard.http.errors import NotFoundError
from cogyard.registry.ports import Push
from cogyard.registry.pushes import SCHEMA_LABEL

VERSION_LABEL = "run.cog.version"


class AccountService(Protocol):
    """What is asked of `features.accounts`."""

    async def authenticate(self, token: str) -> Account | None: ...  # noqa: D102
    async def verify_password(self, username: str, password: str) -> Account | None: ...  # noqa: D102
    async def by_id(self, account_id: int) -> Account | None: ...  # noqa: D102


class ModelService(Protocol):
    """What is asked of `features.models`."""

    async def get(self, caller: Account | None, owner: str, name: str) -> Model: ...  # noqa: D102
    async def ensure_for_push(self, caller: Account, owner: str, name: str) -> Model: ...  # noqa: D102


class VersionService(Protocol):
    """What is asked of `features.versions`."""

    async def get(self, caller: Account | None, owner: str, name: str, id: str) -> object: ...  # noqa: D102
    async def add(  # noqa: D102
        self,
        model: Model,
        *,
        digest: str,
        labels: Mapping[str, str],
        openapi_schema: Mapping[str, Any],
        cog_version: str,
        size: int,
    ) -> object: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformIdentity:
    """An Identity: the password is an API token of the account, or the account's password."""

    accounts: AccountService

    async def authenticate(self, username: str, password: str) -> Account | None:
        """Return the account; the user name must be its own, so that a mistake is noticed."""
        if not password.startswith(TOKEN_PREFIX):
            return await self.accounts.verify_password(username, password)
        account = await self.accounts.authenticate(password)
        return account if account and account.username.lower() == username.lower() else None

    async def by_token(self, token: str) -> Account | None:
        """Return the account an API token belongs to."""
        return await self.accounts.authenticate(token)

    async def account(self, account_id: int) -> Account | None:
        """Return the account, or None when it is no more."""
        return await self.accounts.by_id(account_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformAccess:
    """An Access: who sees a model may pull it, its owner and the operator push."""

    models: ModelService

    async def may_pull(self, caller: Account | None, repository: str) -> bool:
        """Whether the model exists and the caller may see it."""
        try:
            await self.models.get(caller, *_parts(repository))
        except NotFoundError:
            return False
        return True

    async def push_refusal(self, caller: Account, repository: str) -> str | None:
        """Say why the caller may not push there, by the name alone."""
        owner, name = _parts(repository)
        if not caller.is_admin and caller.username.lower() != owner.lower():
            return (
                f"You are logged in as {caller.username}, who may not push to {repository}. "
                f"Push to {caller.username}/{name}, or log in as {owner}."
            )
        return model_name_problem(name)

    async def open_for_push(self, caller: Account, repository: str) -> None:
        """Make the model, private, if there is none."""
        await self.models.ensure_for_push(caller, *_parts(repository))


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionsFromPushes:
    """A PushObserver that makes a version of every image with a model's schema, and Pins that keep versions' images."""

    models: ModelService
    versions: VersionService

    async def pushed(self, push: Push) -> None:
        """Make the version; the same image again is the same version."""
        schema = push.labels.get(SCHEMA_LABEL)
        if schema is None:
            return
        model = await self.models.ensure_for_push(push.account, *_parts(push.repository))
        await self.versions.add(
            model,
            digest=push.digest,
            labels=push.labels,
            openapi_schema=msgspec.json.decode(schema),
            cog_version=push.labels.get(VERSION_LABEL, ""),
            size=push.size,
        )

    async def pin(self, caller: Account, repository: str, digest: str) -> str | None:
        """Keep what is a version."""
        try:
            await self.versions.get(caller, *_parts(repository), digest.removeprefix("sha256:"))
        except NotFoundError:
            return None
        return f"{digest} is a version of {repository}, and versions do not change."


def _parts(repository: str) -> tuple[str, str]:
    owner, _, name = repository.partition("/")
    return owner, name
