"""Join the registry to accounts, models and versions: who may push where, and what a push makes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cogyard.compose.beside import OwnWeights
from cogyard.domain.blobs import BlobStore
from cogyard.domain.ids import is_token
from cogyard.domain.names import model_name_problem, split_model
from cogyard.domain.roles import Role
from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.features.models import policy
from cogyard.features.services import Services
from cogyard.features.versions.ports import VersionStore
from cogyard.http.errors import NotFoundError
from cogyard.registry.beside import names_weights
from cogyard.registry.ports import Known, Push, Repositories
from cogyard.registry.pushes import SCHEMA_LABEL, image_content

_log = logging.getLogger("cogyard.registry")

_COG_VERSION = "run.cog.version"


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """The registry's Identity: an API token is as good a password as the password."""

    services: Services

    async def authenticate(self, username: str, password: str, *, client: str) -> Known | None:
        """Return the account of a user name with its password or one of its tokens."""
        known = await self.by_token(password)
        if known is not None:
            return known if known.account.username.lower() == username.lower() else None
        # A token that is no more is not tried as a password: whoever goes on using it would brake the account's person.
        if is_token(password):
            return None
        found = await self.services.accounts.verify_password(username, password, client=client)
        if found is None and self.services.audit is not None:
            await self.services.audit.note(
                actor="", via="registry", action="signin.failed", subject=username, client=client
            )
        return None if found is None else Known(found)

    async def by_token(self, token: str) -> Known | None:
        """Return the account an API token belongs to: whatever its scope, it looks, and so it pulls."""
        held = await self.services.accounts.holder(token)
        return None if held is None else Known(held.account, pushes=held.scope is Scope.WRITE)

    async def account(self, account_id: int) -> Account | None:
        """Return the account, or None when it is no more."""
        return await self.services.accounts.by_id(account_id)


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """The registry's Access: a repository may be read by who may see its model, written by its owner."""

    services: Services

    async def may_pull(self, caller: Account | None, repository: str) -> bool:
        """Whether the model exists and the caller may see it."""
        parts = split_model(repository)
        if parts is None:
            return False
        try:
            await self.services.models.get(caller, *parts)
        except NotFoundError:
            return False
        return True

    async def push_refusal(self, caller: Account, repository: str) -> str | None:
        """Say why the caller may not push there, whether or not there is such a model."""
        owner, slash, name = repository.partition("/")
        if not slash or "/" in name:
            return f"A model is named OWNER/NAME, such as {caller.username}/{owner}; {repository!r} is not."
        if (problem := model_name_problem(name)) is not None:
            return problem
        if not policy.may_create(caller, owner):
            return f"You are {caller.username}. {policy.why_not(caller, owner, Role.WRITER)}"
        # Only administrators come this far with somebody else's name.
        return None if await self.services.accounts.get(owner) else f"There is no account {owner}."

    async def open_for_push(self, caller: Account, repository: str) -> None:
        """Make the model, private, if there is none."""
        owner, _, name = repository.partition("/")
        await self.services.models.ensure_for_push(caller, owner, name)


@dataclass(frozen=True, slots=True)
class VersionsFromPushes:
    """The registry's PushObserver: an image that describes its model's inputs and output is a version."""

    services: Services
    #: Told of each version that was pushed.
    prefetch: Callable[[str], None] = lambda _version: None

    async def pushed(self, push: Push) -> None:
        """Make the version; the same digest again changes nothing."""
        text = push.labels.get(SCHEMA_LABEL)
        if text is None:
            return
        schema = json.loads(text)
        owner, _, name = push.repository.partition("/")
        model = await self.services.models.ensure_for_push(push.account, owner, name)
        version = await self.services.versions.add(
            model,
            digest=push.digest,
            labels=push.labels,
            openapi_schema=schema,
            cog_version=push.labels.get(_COG_VERSION, ""),
            size=push.size,
        )
        self.prefetch(version.id)
        _log.info("version_pushed", extra={"model": model.path, "version": version.id, "size": push.size})


@dataclass(frozen=True, slots=True)
class VersionPins:
    """The registry's Pins: a version's image stays as long as the version, and what brings its weights."""

    services: Services
    repositories: Repositories

    async def pin(self, caller: Account, repository: str, digest: str) -> str | None:
        """Say why this manifest stays, whoever asks; None when it is no version."""
        del caller
        parts = split_model(repository)
        model = await self.services.models.store.get(*parts) if parts is not None else None
        if model is None:
            return None
        for each in (digest, *await names_weights(self.repositories, model.path, digest)):
            version = await self.services.versions.store.version(model.id, each.removeprefix("sha256:"))
            if version is not None:
                what = "It is" if each == digest else "It brings the weights of"
                return f"{what} a version of {model.path}; delete the version first."
        return None


@dataclass(frozen=True, slots=True)
class PushedImages:
    """An instance's VersionSource: a version's image, through any repository that has it."""

    versions: VersionStore
    repositories: Repositories
    blobs: BlobStore

    async def manifest(self, version: str) -> tuple[bytes, Mapping[str, Any]]:
        """Return (manifest bytes, image config) of a version; raise KeyError when there is none."""
        for model, _ in await self.versions.with_id(version):
            try:
                return await image_content(self.repositories, self.blobs, model.path, f"sha256:{version}")
            except KeyError:
                continue
        raise KeyError(version)

    async def beside(self, version: str) -> Sequence[tuple[bytes, bytes]]:
        """Return (manifest, configuration) of the weights that a version came with."""
        try:
            image = await self.manifest(version)
        except KeyError:
            return ()
        return await OwnWeights(self.versions, self.repositories, self.blobs).of(version, image)
