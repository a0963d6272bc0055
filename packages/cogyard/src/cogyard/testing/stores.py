"""Accounts, models, versions and files in memory, for tests without a database."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from cogyard.domain.deployments import Deployment
from cogyard.domain.paging import Key, Slice, Window, cut
from cogyard.domain.roles import Membership, Role
from cogyard.domain.search import spaced
from cogyard.domain.values import (
    Account,
    ApiToken,
    Kind,
    Model,
    Prediction,
    Status,
    StoredFile,
    Version,
    Visibility,
)
from cogyard.features.accounts.ports import (
    BelongingsLeftError,
    Holder,
    NameTakenError,
    NewAccount,
    NewSession,
    NewToken,
)
from cogyard.features.models.policy import may_see
from cogyard.features.models.ports import (
    DeploymentsLeftError,
    ModelExistsError,
    NewModel,
    Order,
    VersionsLeftError,
)
from cogyard.features.organizations.ports import Standing
from cogyard.features.versions.policy import Uses
from cogyard.features.versions.ports import Removal, VersionInUseError, WhyKept
from cogyard.store.times import stored
from cogyard.testing.predictions import MemoryPredictions

T = TypeVar("T")


def sliced(
    rows: Sequence[T], window: Window, key: Callable[[T], Key], *, ascending: bool = False
) -> Slice[T]:
    """Answer a window over rows as a store does."""
    up = ascending != window.backwards
    ordered = sorted(rows, key=key, reverse=not up)
    if window.key is not None:
        place = window.key
        ordered = [row for row in ordered if (key(row) > place if up else key(row) < place)]
    return cut(ordered[: window.fetch], window, key)


def _has(model: Model, word: str) -> bool:
    # As a phrase of its own parts, of which the last may be the beginning of a word.
    text = " ".join(re.findall(r"\w+", spaced(f"{model.path} {model.description} {model.readme}").lower()))
    parts = re.findall(r"\w+", spaced(word))
    return bool(parts) and " " + " ".join(parts) in " " + text


@dataclass
class MemoryAccounts:
    """Keeps the promises of `cogyard.features.accounts.ports.Accounts`."""

    accounts: dict[str, Account] = field(default_factory=dict)
    passwords: dict[int, str | None] = field(default_factory=dict)
    kept_tokens: dict[bytes, ApiToken] = field(default_factory=dict)
    links: dict[bytes, tuple[int, datetime]] = field(default_factory=dict)
    secrets: dict[int, str] = field(default_factory=dict)
    old_secrets: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    sessions: dict[bytes, NewSession] = field(default_factory=dict)
    members: dict[tuple[int, int], Standing] = field(default_factory=dict)
    """By organization and account."""
    models: Mapping[int, Model] = field(default_factory=dict)
    deployed: Mapping[int, Deployment] = field(default_factory=dict)
    predictions: MemoryPredictions | None = None
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def add(self, account: NewAccount) -> Account:
        """Keep a new account. Raises NameTakenError."""
        if account.username.lower() in self.accounts:
            raise NameTakenError(account.username)
        made = Account(
            id=next(self._count),
            username=account.username,
            name=account.name,
            type=account.type,
            is_admin=account.is_admin,
            created_at=account.created_at,
            role=Role.OWNER if account.type == "user" else Role.WRITER,
        )
        self.accounts[account.username.lower()] = made
        self.passwords[made.id] = account.password_hash
        return made

    async def by_id(self, account_id: int) -> Account | None:
        """Return the account, or None."""
        found = next((each for each in self.accounts.values() if each.id == account_id), None)
        return None if found is None else self._seen(found)

    async def by_username(self, username: str) -> Account | None:
        """Return the account of that name, or None."""
        found = self.accounts.get(username.lower())
        return None if found is None else self._seen(found)

    def _seen(self, account: Account) -> Account:
        """Return an account as of now, with where it belongs."""
        names = {each.id: each.username for each in self.accounts.values()}
        found = [
            Membership(organization=names[key], organization_id=key, role=standing.role)
            for (key, member), standing in self.members.items()
            if member == account.id and standing.joined_at is not None
        ]
        return replace(account, memberships=tuple(sorted(found, key=lambda each: each.organization)))

    async def close(self, account_id: int, now: datetime) -> None:
        """Delete an account with what is its own. Raises BelongingsLeftError."""
        del now
        account = await self.by_id(account_id)
        if account is None:
            return
        self._refuse_closing(account)
        del self.accounts[account.username.lower()]
        self.kept_tokens = {k: each for k, each in self.kept_tokens.items() if each.account_id != account_id}
        self.sessions = {k: each for k, each in self.sessions.items() if each.account_id != account_id}
        self.links = {k: each for k, each in self.links.items() if each[0] != account_id}
        self.members = {key: each for key, each in self.members.items() if account_id not in key}
        if self.predictions is not None:
            mine = [k for k, each in self.predictions.predictions.items() if each.account_id == account_id]
            for key in mine:
                del self.predictions.predictions[key]
            asked = {
                k: each
                for k, each in self.predictions.predictions.items()
                if each.asked_by == account.username
            }
            for key, each in asked.items():
                self.predictions.predictions[key] = replace(each, asked_by=None)

    def _refuse_closing(self, account: Account) -> None:
        owned = [each.owner for each in self.models.values()]
        owned += [each.owner for each in self.deployed.values()]
        tickets = () if self.predictions is None else self.predictions.tickets
        runs = () if self.predictions is None else self.predictions.predictions.values()
        if account.username in owned or any(
            each.id in tickets and each.account_id == account.id for each in runs
        ):
            raise BelongingsLeftError(f"it still has {len(owned)} models, deployments or predictions")
        for each in account.memberships:
            owners = [
                member
                for (key, member), standing in self.members.items()
                if key == each.organization_id
                and standing.role is Role.OWNER
                and standing.joined_at is not None
            ]
            if owners == [account.id]:
                raise BelongingsLeftError(f"nobody else owns {each.organization}.")
        others = [each for each in self.accounts.values() if each.is_admin and each.id != account.id]
        if account.is_admin and not others:
            raise BelongingsLeftError("it is the platform's last administrator.")

    async def password_of(self, username: str) -> tuple[Account, str | None] | None:
        """Return the account and its password's hash."""
        found = await self.by_username(username)
        return None if found is None else (found, self.passwords[found.id])

    async def set_password(self, account_id: int, password_hash: str) -> None:
        """Replace the password's hash, and end the account's sessions."""
        self.passwords[account_id] = password_hash
        self.sessions = {key: each for key, each in self.sessions.items() if each.account_id != account_id}

    async def any_account(self) -> bool:
        """Whether there is an account at all."""
        return bool(self.accounts)

    async def all(self) -> tuple[Account, ...]:
        """Return every account, by name."""
        return tuple(self._seen(self.accounts[name]) for name in sorted(self.accounts))

    async def webhook_secret(self, account_id: int, fresh: str, now: datetime) -> str:
        """Return the account's signing secret."""
        del now
        return self.secrets.setdefault(account_id, fresh)

    async def rotate_webhook_secret(self, account_id: int, fresh: str, now: datetime) -> None:
        """Make `fresh` the account's signing secret, and remember the one before."""
        if account_id in self.secrets:
            self.old_secrets[account_id] = (self.secrets[account_id], now)
        self.secrets[account_id] = fresh

    async def previous_webhook_secret(self, account_id: int, since: datetime) -> str | None:
        """Return the secret that was replaced after `since`."""
        secret, replaced_at = self.old_secrets.get(account_id, (None, since))
        return secret if replaced_at > since else None

    async def add_token(self, token: NewToken) -> ApiToken:
        """Keep a token."""
        made = ApiToken(
            id=next(self._count),
            account_id=token.account_id,
            name=token.name,
            tail=token.tail,
            created_at=token.created_at,
            expires_at=token.expires_at,
            scope=token.scope,
        )
        self.kept_tokens[token.hash] = made
        return made

    async def holder_of_token(self, hash: bytes, now: datetime) -> Holder | None:
        """Return whose valid token this is."""
        token = self.kept_tokens.get(hash)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        account = await self.by_id(token.account_id)
        if account is None:
            return None
        return Holder(account=account, scope=token.scope, token_id=token.id, last_used_at=token.last_used_at)

    async def note_use(self, token_id: int, now: datetime) -> None:
        """Keep when a token was used."""
        for hash_, token in self.kept_tokens.items():
            if token.id == token_id:
                self.kept_tokens[hash_] = replace(token, last_used_at=now)
                return

    async def tokens(self, account_id: int) -> tuple[ApiToken, ...]:
        """Return an account's tokens that are not revoked, newest first."""
        found = [token for token in self.kept_tokens.values() if token.account_id == account_id]
        return tuple(sorted(found, key=lambda token: -token.id))

    async def revoke_token(self, account_id: int, token_id: int, now: datetime) -> bool:
        """End a token of that account."""
        del now
        for hash_, token in self.kept_tokens.items():
            if (token.id, token.account_id) == (token_id, account_id):
                del self.kept_tokens[hash_]
                return True
        return False

    async def add_login_link(self, hash: bytes, account_id: int, now: datetime, expires_at: datetime) -> None:
        """Keep a one-time link."""
        del now
        self.links[hash] = (account_id, expires_at)

    async def use_login_link(self, hash: bytes, now: datetime) -> Account | None:
        """Use a link up."""
        account_id, expires_at = self.links.pop(hash, (0, now))
        return await self.by_id(account_id) if expires_at > now else None

    async def add_session(self, session: NewSession, *, most: int) -> None:
        """Keep a session; of this account only the newest `most` stay."""
        mine = [each for each in self.sessions.values() if each.account_id == session.account_id]
        for old in sorted(mine, key=lambda each: each.created_at, reverse=True)[most - 1 :]:
            del self.sessions[old.hash]
        self.sessions[session.hash] = session

    async def account_of_session(self, hash: bytes, now: datetime) -> Account | None:
        """Return whose session this is."""
        found = self.sessions.get(hash)
        return await self.by_id(found.account_id) if found is not None and found.expires_at > now else None

    async def end_session(self, hash: bytes) -> bool:
        """End a session."""
        return self.sessions.pop(hash, None) is not None


@dataclass
class MemoryModels:
    """Keeps the promises of the models' and the versions' stores."""

    accounts: MemoryAccounts
    models: dict[int, Model] = field(default_factory=dict)
    kept_versions: dict[tuple[int, str], Version] = field(default_factory=dict)
    deployed: dict[int, Deployment] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    """What was run of versions; a test shares it with the predictions' store."""
    noted: dict[int, tuple[Removal, frozenset[str]]] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Let the accounts know what they own."""
        self.accounts.models = self.models

    async def add(self, model: NewModel) -> Model:
        """Keep a new model. Raises ModelExistsError."""
        owner = await self.accounts.by_id(model.owner_id)
        if owner is None or await self.get(owner.username, model.name) is not None:
            raise ModelExistsError(model.name)
        made = Model(
            id=next(self._count),
            owner=owner.username,
            name=model.name,
            visibility=model.visibility,
            created_at=model.created_at,
            description=model.description,
            hardware=model.hardware,
            github_url=model.github_url,
            paper_url=model.paper_url,
            license_url=model.license_url,
            cover_image_url=model.cover_image_url,
        )
        self.models[made.id] = made
        return made

    async def get(self, owner: str, name: str) -> Model | None:
        """Return the model, or None."""
        path = f"{owner}/{name}".lower()
        return next((model for model in self.models.values() if model.path.lower() == path), None)

    async def public(self, window: Window, *, order: Order, ascending: bool) -> Slice[Model]:
        """Return public models that have a version."""
        found = [m for m in self.models.values() if m.visibility is Visibility.PUBLIC and m.latest_version]

        def key(model: Model) -> Key:
            latest = self.kept_versions[model.id, str(model.latest_version)]
            made = latest.created_at if order is Order.LATEST_VERSION else model.created_at
            return (stored(made), model.id)

        return sliced(found, window, key, ascending=ascending)

    async def by_owner(self, owner: str, window: Window, *, private_too: bool) -> Slice[Model]:
        """Return an owner's models, newest first."""
        found = [
            model
            for model in self.models.values()
            if model.owner.lower() == owner.lower() and (private_too or model.visibility is Visibility.PUBLIC)
        ]
        return sliced(found, window, lambda model: (model.id,))

    async def search(
        self, words: tuple[str, ...], *, viewers: tuple[int, ...], limit: int
    ) -> tuple[Model, ...]:
        """Return models that have every word, or begin one with it; those that ran most come first."""
        seen = {each.username for each in self.accounts.accounts.values() if each.id in viewers}
        found = [
            model
            for model in self.models.values()
            if (model.visibility is Visibility.PUBLIC or model.owner in seen)
            and all(_has(model, word) for word in words)
        ]
        return tuple(sorted(found, key=lambda model: (-model.run_count, -model.id))[:limit])

    async def update(self, model_id: int, changes: Mapping[str, str | None]) -> Model | None:
        """Set fields of a model and return it."""
        model = self.models.get(model_id)
        if model is None:
            return None
        values: dict[str, Any] = dict(changes)
        if "visibility" in values:
            values["visibility"] = Visibility(values["visibility"])
        self.models[model_id] = replace(model, **values)
        return self.models[model_id]

    async def delete(self, model_id: int, *, with_versions: bool) -> bool:
        """Delete a model. Raises VersionsLeftError, DeploymentsLeftError."""
        model = self.models.get(model_id)
        mine = [] if model is None else [each for each in self.deployed.values() if each.model == model.path]
        if model is not None and any([await self._still_runs(each, model) for each in mine]):
            raise DeploymentsLeftError
        keys = [key for key in self.kept_versions if key[0] == model_id]
        if keys and not with_versions:
            raise VersionsLeftError
        for key in keys:
            del self.kept_versions[key]
        for each in mine:
            self.deployed.pop(each.id)
        return self.models.pop(model_id, None) is not None

    async def add_version(self, model_id: int, version: Version) -> bool:
        """Keep a version and make it the latest; False when the model has it already."""
        if (model_id, version.id) in self.kept_versions:
            return False
        self.kept_versions[model_id, version.id] = version
        self.models[model_id] = replace(self.models[model_id], latest_version=version.id)
        return True

    async def version(self, model_id: int, version_id: str) -> Version | None:
        """Return a model's version, or None."""
        return self.kept_versions.get((model_id, version_id))

    async def versions(self, model_id: int, window: Window) -> Slice[Version]:
        """Return a model's versions, newest first."""
        found = [version for key, version in self.kept_versions.items() if key[0] == model_id]
        return sliced(found, window, lambda each: (stored(each.created_at), each.id))

    async def latest(self, model_ids: Sequence[int]) -> Mapping[int, Version]:
        """Return the latest versions of models, by the model's id."""
        models = [self.models[id_] for id_ in model_ids]
        return {m.id: self.kept_versions[m.id, m.latest_version] for m in models if m.latest_version}

    async def with_id(self, version_id: str) -> tuple[tuple[Model, Version], ...]:
        """Return every model that has this version, oldest first."""
        found = [
            (self.models[key[0]], each) for key, each in self.kept_versions.items() if key[1] == version_id
        ]
        return tuple(sorted(found, key=lambda pair: (pair[1].created_at, pair[0].id)))

    async def delete_version(self, model_id: int, version_id: str, why_kept: WhyKept, now: datetime) -> bool:
        """Delete a version; the newest that remains is the latest."""
        del now
        if (model_id, version_id) not in self.kept_versions:
            return False
        if reason := why_kept(await self._uses(model_id, version_id)):
            raise VersionInUseError(reason)
        del self.kept_versions[model_id, version_id]
        left = (await self.versions(model_id, Window(limit=1))).items
        self.models[model_id] = replace(self.models[model_id], latest_version=left[0].id if left else None)
        owner = await self.accounts.by_username(self.models[model_id].owner)
        runs = frozenset(
            id_
            for id_, each in self._runs(model_id, version_id).items()
            if owner is not None and each.account_id == owner.id
        )
        removal = Removal(rank=next(self._count), model=self.models[model_id].path, version=version_id)
        self.noted[removal.rank] = (removal, runs)
        return True

    async def removals(self) -> tuple[Removal, ...]:
        """Return what still has to be removed, the oldest first."""
        return tuple(removal for _, (removal, _) in sorted(self.noted.items()))

    async def remove_predictions(self, removal: Removal, limit: int, now: datetime) -> int:
        """Delete so many of a deleted version's predictions."""
        del now
        runs = self.noted[removal.rank][1]
        ids = sorted(runs & self.predictions.keys())[:limit]
        for id_ in ids:
            del self.predictions[id_]
        return len(ids)

    async def forget(self, removal: Removal) -> None:
        """Note that nothing of it is left."""
        self.noted.pop(removal.rank, None)

    def _runs(self, model_id: int, version_id: str) -> dict[str, Prediction]:
        path = self.models[model_id].path
        return {
            id_: each
            for id_, each in self.predictions.items()
            if each.model == path and each.version == version_id
        }

    async def _uses(self, model_id: int, version_id: str) -> Uses:
        model, runs = self.models[model_id], self._runs(model_id, version_id)
        owner = await self.accounts.by_username(model.owner)
        deployed = [
            each.path
            for each in self.deployed.values()
            if each.model == model.path
            and version_id in _deployed_by(each)
            and await self._still_runs(each, model)
        ]
        return Uses(
            public=model.visibility is Visibility.PUBLIC,
            waits=any(not each.status.terminal for each in runs.values()),
            foreign=any(owner is None or each.account_id != owner.id for each in runs.values()),
            deployment=next(iter(deployed), None),
            trained=next(
                (
                    each.destination
                    for each in runs.values()
                    if each.kind is Kind.TRAINING
                    and each.status is Status.SUCCEEDED
                    and self._has_another(str(each.destination), each.created_at, (model_id, version_id))
                ),
                None,
            ),
        )

    async def _still_runs(self, deployment: Deployment, model: Model) -> bool:
        owner = await self.accounts.by_username(deployment.owner)
        return owner is not None and may_see(owner, model)

    def _has_another(self, path: str, since: datetime, but: tuple[int, str]) -> bool:
        return any(
            self.models[key[0]].path == path and key != but and each.created_at >= since
            for key, each in self.kept_versions.items()
        )


def _deployed_by(deployment: Deployment) -> set[str | None]:
    wanted = deployment.release.configuration
    return {wanted.version, wanted.split.version if wanted.split is not None else None}


@dataclass
class MemoryFiles:
    """Keeps the promises of `cogyard.features.files.ports.FileStore`."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def add(self, file: StoredFile) -> None:
        """Keep a file."""
        self.files[file.id] = file
        self.ranks[file.id] = next(self._count)

    async def get(self, file_id: str) -> StoredFile | None:
        """Return a file, or None."""
        return self.files.get(file_id)

    async def by_token(self, token: str) -> StoredFile | None:
        """Return the file of a public address, or None."""
        return next((file for file in self.files.values() if file.token == token), None)

    async def uploads(self, account_id: int, window: Window) -> Slice[StoredFile]:
        """Return what an account sent itself, newest first."""
        found = [f for f in self.files.values() if f.account_id == account_id and f.prediction_id is None]
        return sliced(found, window, lambda file: (self.ranks[file.id],))

    async def delete(self, file_id: str) -> bool:
        """Forget a file."""
        return self.files.pop(file_id, None) is not None

    async def expired(self, now: datetime, limit: int) -> tuple[StoredFile, ...]:
        """Return files whose time is over."""
        found = [
            file for file in self.files.values() if file.expires_at is not None and file.expires_at <= now
        ]
        return tuple(sorted(found, key=lambda file: file.expires_at or now)[:limit])

    async def uses(self, sha256: str) -> int:
        """Return how many files have this content."""
        return sum(file.sha256 == sha256 for file in self.files.values())
