"""A registry's surroundings in memory.

`MemoryRepositories` stands for the database, `People` for accounts and models, `RecordedPushes` for whoever wants to
know of pushes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cogyard.domain.values import Account
from cogyard.registry.ports import Known, Push, QuotaReachedError, StillUsedError, StoredManifest


@dataclass
class MemoryRepositories:
    """A Repositories in dictionaries."""

    blobs: dict[tuple[str, str], int] = field(default_factory=dict)
    wanted: dict[tuple[str, str], datetime] = field(default_factory=dict)
    manifests: dict[tuple[str, str], StoredManifest] = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    tagged: dict[tuple[str, str], datetime] = field(default_factory=dict)

    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def link_blob(self, repository: str, digest: str, size: int, *, quota: int | None = None) -> None:
        """Write down that the repository has the blob."""
        key, owner = (repository, digest), repository.partition("/")[0]
        if quota is not None:
            held = self._held(owner)
            known = any(name.startswith(f"{owner}/") and known == digest for name, known in self.blobs)
            if not known and held + size > quota:
                raise QuotaReachedError(held=held, quota=quota)
        self.blobs[key], self.wanted[key] = size, self.clock()

    async def renew_blob(self, repository: str, digest: str) -> int | None:
        """Return the blob's size, and keep it for the one who asked."""
        if (repository, digest) in self.blobs:
            self.wanted[repository, digest] = self.clock()
        return self.blobs.get((repository, digest))

    async def held(self, owner: str) -> int:
        """Return the bytes that the owner's repositories hold."""
        return self._held(owner)

    async def unused(self, owner: str) -> int:
        """Return the bytes that no manifest of the owner's needs."""
        own = {key: size for key, size in self.blobs.items() if key[0].startswith(f"{owner}/")}
        needed = {digest for name, digest in own if self._users(name, digest)}
        return sum({digest: size for (_, digest), size in own.items() if digest not in needed}.values())

    async def unlink_unused(self, before: datetime, *, limit: int, owner: str | None = None) -> int:
        """Take blobs that no manifest needs out of their repositories."""
        unused = [
            (name, digest)
            for name, digest in self.blobs
            if self.wanted[name, digest] < before
            and not self._users(name, digest)
            and (owner is None or name.startswith(f"{owner}/"))
        ]
        for key in unused[:limit]:
            del self.blobs[key]
        return len(unused[:limit])

    async def linked(self, digests: Sequence[str]) -> frozenset[str]:
        """Return which of the blobs any repository has."""
        return frozenset(digest for _, digest in self.blobs if digest in digests)

    async def blob_size(self, repository: str, digest: str) -> int | None:
        """Return the blob's size, or None when this repository does not have it."""
        return self.blobs.get((repository, digest))

    async def unlink_blob(self, repository: str, digest: str) -> bool:
        """Take the blob out of the repository."""
        self._refuse_if_used(repository, digest)
        return self.blobs.pop((repository, digest), None) is not None

    async def missing(self, manifest: StoredManifest) -> tuple[str, ...]:
        """Return what the manifest names and the repository does not have."""
        name = manifest.repository
        return (
            *(digest for digest, size in manifest.blobs.items() if self.blobs.get((name, digest)) != size),
            *(digest for digest in manifest.manifests if (name, digest) not in self.manifests),
        )

    async def put_manifest(self, manifest: StoredManifest, *, tag: str | None) -> tuple[str, ...]:
        """Write down a manifest and its tag."""
        missing = await self.missing(manifest)
        if not missing:
            self.manifests.setdefault((manifest.repository, manifest.digest), manifest)
            if tag is not None:
                self.named[manifest.repository, tag] = manifest.digest
                self.tagged[manifest.repository, manifest.digest] = manifest.created_at
        return missing

    async def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return a manifest by digest or by tag."""
        digest = reference if ":" in reference else self.named.get((repository, reference), "")
        found = self.manifests.get((repository, digest))
        return replace(found, blobs={}, manifests=()) if found else None

    async def indexes(self, repository: str, digest: str) -> Sequence[StoredManifest]:
        """Return the newest manifests that name another one."""
        found = [
            each
            for (name, _), each in self.manifests.items()
            if name == repository and digest in each.manifests
        ]
        newest = sorted(found, key=lambda each: each.created_at, reverse=True)[:10]
        return [replace(each, blobs={}, manifests=()) for each in newest]

    async def drop_unused(self, artifact_type: str, before: datetime) -> int:
        """Delete manifests of a type that no index names, with their tags."""
        unused = [
            (name, digest)
            for (name, digest), each in self.manifests.items()
            if each.artifact_type == artifact_type
            and max(each.created_at, self.tagged.get((name, digest), each.created_at)) < before
            and not self._users(name, digest)
        ]
        for name, digest in unused:
            await self.delete_manifest(name, digest)
        return len(unused)

    async def delete_manifest(self, repository: str, digest: str) -> bool:
        """Delete a manifest with its tags."""
        self._refuse_if_used(repository, digest)
        for key in [key for key, named in self.named.items() if key[0] == repository and named == digest]:
            del self.named[key]
        return self.manifests.pop((repository, digest), None) is not None

    async def tags(self, repository: str, *, limit: int, after: str | None) -> Sequence[str]:
        """Return a page of tags."""
        names = sorted((tag.lower(), tag) for name, tag in self.named if name == repository)
        start = ("", "") if after is None else (after.lower(), after)
        return [tag for key, tag in names if (key, tag) > start][:limit]

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag."""
        return self.named.pop((repository, tag), None) is not None

    async def referrers(
        self, repository: str, subject: str, *, artifact_type: str | None, limit: int, after: str | None
    ) -> Sequence[StoredManifest]:
        """Return a page of the manifests about another one."""
        found = [
            each
            for (name, digest), each in sorted(self.manifests.items())
            if name == repository
            and each.subject == subject
            and digest > (after or "")
            and artifact_type in {None, each.artifact_type}
        ]
        return [replace(each, blobs={}, manifests=()) for each in found[:limit]]

    async def has_manifests(self, repository: str) -> bool:
        """Whether anything has been pushed to the repository."""
        return any(name == repository for name, _ in self.manifests)

    async def drop(self, repository: str) -> None:
        """Forget a repository wholly."""
        self.blobs = {key: value for key, value in self.blobs.items() if key[0] != repository}
        self.manifests = {key: value for key, value in self.manifests.items() if key[0] != repository}
        self.named = {key: value for key, value in self.named.items() if key[0] != repository}

    def _held(self, owner: str) -> int:
        return sum(
            {
                digest: size for (name, digest), size in self.blobs.items() if name.startswith(f"{owner}/")
            }.values()
        )

    def _users(self, repository: str, digest: str) -> list[str]:
        return [
            each.digest
            for (name, _), each in sorted(self.manifests.items())
            if name == repository and (digest in each.blobs or digest in each.manifests)
        ]

    def _refuse_if_used(self, repository: str, digest: str) -> None:
        if by := self._users(repository, digest):
            raise StillUsedError(tuple(by[:10]))


@dataclass
class People:
    """An Identity and an Access: accounts with passwords, and models that are public or private.

    An account's password is its user name doubled (`alice` has `alicealice`), its API token `cyd_` and its user name.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    models: dict[str, bool] = field(default_factory=dict)
    """Whether a model is public, by repository."""
    clients: list[str] = field(default_factory=list)
    """Where those came from who gave a password."""

    def add(self, username: str) -> Account:
        """Make an account."""
        made = datetime(2026, 1, 1, tzinfo=UTC)
        account = Account(
            id=len(self.accounts) + 1, username=username, name=username.title(), created_at=made
        )
        self.accounts[username] = account
        return account

    async def authenticate(self, username: str, password: str, *, client: str) -> Known | None:
        """Return the account when the password is the one described above, or the token."""
        self.clients.append(client)
        found = self.accounts.get(username) if password in {username * 2, f"cyd_{username}"} else None
        return None if found is None else Known(found)

    async def by_token(self, token: str) -> Known | None:
        """Return the account of `cyd_<username>`."""
        found = self.accounts.get(token.removeprefix("cyd_")) if token.startswith("cyd_") else None
        return None if found is None else Known(found)

    async def account(self, account_id: int) -> Account | None:
        """Return the account, or None when it is no more."""
        return next((each for each in self.accounts.values() if each.id == account_id), None)

    async def may_pull(self, caller: Account | None, repository: str) -> bool:
        """Public models, and one's own."""
        public = self.models.get(repository)
        mine = caller is not None and repository.startswith(f"{caller.username}/")
        return public is not None and (public or mine)

    async def push_refusal(self, caller: Account, repository: str) -> str | None:
        """One's own namespace."""
        owner, _, name = repository.partition("/")
        if owner == caller.username:
            return None
        return f"You are {caller.username}, and {owner}/{name} belongs to {owner}. Push to {caller.username}/{name}."

    async def open_for_push(self, caller: Account, repository: str) -> None:  # noqa: ARG002 - the port's
        """Make a private model, unless there is one."""
        self.models.setdefault(repository, False)


@dataclass
class RecordedPushes:
    """A PushObserver that keeps what it is told."""

    seen: list[Push] = field(default_factory=list)

    async def pushed(self, push: Push) -> None:
        """Keep it."""
        self.seen.append(push)
