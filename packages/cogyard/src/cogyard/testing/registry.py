"""A registry's surroundings in memory, and what every store of repositories promises.

`MemoryRepositories` stands for the database, `People` for accounts and models, `RecordedPushes` for whoever wants to
know of pushes. `RepositoriesContract` is run over the fake and over the database.
"""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cogyard.domain.values import Account
from cogyard.registry.ports import Push, QuotaReachedError, Repositories, StillUsedError, StoredManifest
from cogyard.testing.blobs import digest_of, refused


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

    async def authenticate(self, username: str, password: str, *, client: str) -> Account | None:
        """Return the account when the password is the one described above, or the token."""
        self.clients.append(client)
        return self.accounts.get(username) if password in {username * 2, f"cyd_{username}"} else None

    async def by_token(self, token: str) -> Account | None:
        """Return the account of `cyd_<username>`."""
        return self.accounts.get(token.removeprefix("cyd_")) if token.startswith("cyd_") else None

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


NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
IMAGE = "application/vnd.oci.image.manifest.v1+json"


def a_manifest(
    content: bytes = b"{}",
    *,
    repository: str = "alice/model",
    blobs: dict[str, int] | None = None,
    manifests: tuple[str, ...] = (),
    subject: str | None = None,
    artifact_type: str | None = None,
) -> StoredManifest:
    """Make a manifest to store."""
    return StoredManifest(
        repository=repository,
        digest=digest_of(content),
        media_type=IMAGE,
        content=content,
        created_at=NOW,
        blobs=blobs or {},
        manifests=manifests,
        subject=subject,
        artifact_type=artifact_type,
    )


class RepositoriesContract:
    """What a Repositories promises. A subclass gives the fixture `repositories`."""

    async def test_a_blob_belongs_to_the_repositories_it_was_linked_to(
        self, repositories: Repositories
    ) -> None:
        """One repository's blob is not another's, and linking again is no error."""
        digest = digest_of(b"x")
        for _ in range(2):
            await repositories.link_blob("alice/model", digest, 1)
        assert await repositories.blob_size("alice/model", digest) == 1
        assert await repositories.blob_size("bob/model", digest) is None
        assert await repositories.unlink_blob("alice/model", digest)
        assert not await repositories.unlink_blob("alice/model", digest)
        assert await repositories.blob_size("alice/model", digest) is None

    async def test_a_manifest_is_found_by_digest_and_tag(self, repositories: Repositories) -> None:
        """What comes back is what was stored, byte for byte, with its media type."""
        one = a_manifest(b'{ "a": 1 }', artifact_type="application/x")
        assert await repositories.put_manifest(one, tag="latest") == ()
        for reference in ("latest", one.digest):
            found = await repositories.manifest("alice/model", reference)
            assert found is not None
            assert (found.content, found.media_type, found.created_at) == (one.content, IMAGE, NOW)
            assert (found.digest, found.artifact_type) == (one.digest, "application/x")
        assert await repositories.manifest("bob/model", one.digest) is None
        assert await repositories.manifest("alice/model", "other") is None

    async def test_a_manifest_that_lacks_something_is_not_stored(self, repositories: Repositories) -> None:
        """Blobs must be there with the size named, and manifests too; what is missing is named."""
        here, wrong, absent = digest_of(b"here"), digest_of(b"wrong"), digest_of(b"absent")
        await repositories.link_blob("alice/model", here, 4)
        await repositories.link_blob("alice/model", wrong, 5)
        await repositories.link_blob("bob/model", absent, 6)
        one = a_manifest(blobs={here: 4, wrong: 9, absent: 6}, manifests=(digest_of(b"child"),))
        expected = {wrong, absent, digest_of(b"child")}
        assert set(await repositories.missing(one)) == expected
        assert set(await repositories.put_manifest(one, tag="latest")) == expected
        assert await repositories.manifest("alice/model", "latest") is None
        assert not await repositories.has_manifests("alice/model")

    async def test_a_tag_moves_and_its_old_manifest_stays(self, repositories: Repositories) -> None:
        """A version is immutable; a tag is a name that may point elsewhere tomorrow."""
        one, two = a_manifest(b"1"), a_manifest(b"2")
        await repositories.put_manifest(one, tag="latest")
        await repositories.put_manifest(two, tag="latest")
        await repositories.put_manifest(two, tag="latest")
        found = await repositories.manifest("alice/model", "latest")
        assert found is not None
        assert found.digest == two.digest
        assert await repositories.manifest("alice/model", one.digest) is not None

    async def test_what_is_needed_is_not_deleted(self, repositories: Repositories) -> None:
        """A manifest's blobs and an index's images stay as long as it does; the refusal names it."""
        blob = digest_of(b"x")
        await repositories.link_blob("alice/model", blob, 1)
        image = a_manifest(b"image", blobs={blob: 1})
        index = a_manifest(b"index", manifests=(image.digest,))
        await repositories.put_manifest(image, tag=None)
        await repositories.put_manifest(index, tag="latest")
        with refused(StillUsedError) as error:
            await repositories.unlink_blob("alice/model", blob)
        assert str(error()) == image.digest
        with refused(StillUsedError):
            await repositories.delete_manifest("alice/model", image.digest)
        assert await repositories.delete_manifest("alice/model", index.digest)
        assert await repositories.manifest("alice/model", "latest") is None
        assert await repositories.delete_manifest("alice/model", image.digest)
        assert not await repositories.delete_manifest("alice/model", image.digest)
        assert await repositories.unlink_blob("alice/model", blob)

    async def test_a_deleted_tag_leaves_its_manifest(self, repositories: Repositories) -> None:
        """Only the name goes."""
        one = a_manifest()
        await repositories.put_manifest(one, tag="latest")
        assert await repositories.delete_tag("alice/model", "latest")
        assert not await repositories.delete_tag("alice/model", "latest")
        assert await repositories.manifest("alice/model", "latest") is None
        assert await repositories.manifest("alice/model", one.digest) is not None

    async def test_tags_come_in_pages_without_gaps(self, repositories: Repositories) -> None:
        """Pages of any size, one after another, give every tag once, in an order that ignores case."""
        names = ["b", "A", "a", "B1", "latest", "v1.0", "V1.0", "_x", "0.1", "b-2"]
        one = a_manifest()
        for name in names:
            await repositories.put_manifest(one, tag=name)
        await repositories.put_manifest(a_manifest(repository="bob/model"), tag="other")
        whole = await repositories.tags("alice/model", limit=100, after=None)
        assert whole == sorted(names, key=lambda tag: (tag.lower(), tag))
        for limit in (1, 3, 10):
            pages: list[str] = []
            while page := await repositories.tags(
                "alice/model", limit=limit, after=pages[-1] if pages else None
            ):
                assert len(page) <= limit
                pages.extend(page)
            assert pages == whole
        assert await repositories.tags("alice/model", limit=3, after="c") == ["latest", "V1.0", "v1.0"]

    async def test_referrers_are_those_about_one_manifest(self, repositories: Repositories) -> None:
        """Found by subject, whether or not it is there, filtered by type, in pages."""
        subject = digest_of(b"subject")
        about = [
            a_manifest(f"{n}".encode(), subject=subject, artifact_type=f"application/{n % 2}")
            for n in range(5)
        ]
        others = (a_manifest(b"x", subject=digest_of(b"another")), a_manifest(b"y"))
        elsewhere = a_manifest(b"z", repository="bob/model", subject=subject)
        for each in (*about, *others, elsewhere):
            await repositories.put_manifest(each, tag=None)
        expected = sorted(each.digest for each in about)
        pages: list[str] = []
        while page := await repositories.referrers(
            "alice/model", subject, artifact_type=None, limit=2, after=pages[-1] if pages else None
        ):
            pages.extend(each.digest for each in page)
        assert pages == expected
        ones = await repositories.referrers(
            "alice/model", subject, artifact_type="application/1", limit=10, after=None
        )
        assert {each.digest for each in ones} == {about[1].digest, about[3].digest}

    async def test_unused_blobs_are_unlinked_and_used_ones_stay(self, repositories: Repositories) -> None:
        """What a manifest needs stays whatever its age; the rest goes, a few at a time, and is linked nowhere then."""
        used, unused, shared = digest_of(b"used"), digest_of(b"unused"), digest_of(b"shared")
        for name, digest in (
            ("alice/model", used), ("alice/model", unused), ("alice/model", shared), ("bob/model", shared),
        ):  # fmt: skip
            await repositories.link_blob(name, digest, 1)
        await repositories.put_manifest(a_manifest(blobs={used: 1}), tag=None)
        await repositories.put_manifest(a_manifest(repository="bob/model", blobs={shared: 1}), tag=None)
        later = datetime.now(UTC) + timedelta(hours=1)
        assert await repositories.unlink_unused(later, limit=1) == 1
        assert await repositories.unlink_unused(later, limit=10) == 1
        assert await repositories.unlink_unused(later, limit=10) == 0
        assert await repositories.blob_size("alice/model", used) == 1
        assert await repositories.blob_size("alice/model", unused) is None
        assert await repositories.blob_size("alice/model", shared) is None
        assert await repositories.linked([used, unused, shared]) == {used, shared}

    async def test_one_owner_s_unused_blobs_are_counted_and_unlinked(
        self, repositories: Repositories
    ) -> None:
        """What one of the owner's models needs is used, wherever else it lies; other owners' are not touched."""
        used, unused = digest_of(b"used"), digest_of(b"unused")
        for name, digest, size in (
            ("alice/a", used, 1), ("alice/b", used, 1), ("alice/a", unused, 10), ("alice/b", unused, 10),
            ("alicia/a", unused, 10),
        ):  # fmt: skip
            await repositories.link_blob(name, digest, size)
        await repositories.put_manifest(a_manifest(repository="alice/a", blobs={used: 1}), tag=None)
        assert [await repositories.unused(each) for each in ("alice", "alicia", "bob")] == [10, 10, 0]
        later = datetime.now(UTC) + timedelta(hours=1)
        assert await repositories.unlink_unused(later, limit=10, owner="alice") == 3
        assert (await repositories.held("alice"), await repositories.unused("alice")) == (1, 0)
        assert await repositories.blob_size("alicia/a", unused) == 10

    async def test_a_blob_of_a_push_that_goes_on_stays(self, repositories: Repositories) -> None:
        """Linked or asked for a moment ago, it is not unused yet; one that is not there cannot be renewed."""
        digest = digest_of(b"x")
        await repositories.link_blob("alice/model", digest, 1)
        assert await repositories.renew_blob("alice/model", digest) == 1
        assert await repositories.renew_blob("bob/model", digest) is None
        assert await repositories.unlink_unused(datetime.now(UTC) - timedelta(hours=1), limit=10) == 0
        assert await repositories.blob_size("alice/model", digest) == 1

    async def test_an_owner_holds_no_more_than_the_quota(self, repositories: Repositories) -> None:
        """Each blob counts once an owner; the refusal says how much is held, links nothing, and bars no one else."""
        one, two, three = (digest_of(each) for each in (b"1", b"2", b"3"))
        await repositories.link_blob("alice/a", one, 60, quota=100)
        await repositories.link_blob("alice/b", one, 60, quota=100)
        await repositories.link_blob("alice/b", two, 40, quota=100)
        assert await repositories.held("alice") == 100
        with refused(QuotaReachedError) as error:
            await repositories.link_blob("alice/b", three, 1, quota=100)
        caught = error()
        assert isinstance(caught, QuotaReachedError)
        assert (caught.held, caught.quota) == (100, 100)
        assert await repositories.blob_size("alice/b", three) is None
        await repositories.link_blob("alice/c", one, 60, quota=10)
        await repositories.link_blob("alicia/a", three, 100, quota=100)
        assert (await repositories.held("alice"), await repositories.held("nobody")) == (100, 0)

    async def test_indexes_are_found_by_what_they_name(self, repositories: Repositories) -> None:
        """The newest first, of this repository only; ten at most."""
        image = a_manifest(b"image")
        await repositories.put_manifest(image, tag=None)
        for number in range(12):
            index = a_manifest(f"index {number}".encode(), manifests=(image.digest,))
            await repositories.put_manifest(
                replace(index, created_at=NOW + timedelta(seconds=number)), tag=None
            )
        found = await repositories.indexes("alice/model", image.digest)
        assert [each.content for each in found] == [f"index {number}".encode() for number in range(11, 1, -1)]
        assert not await repositories.indexes("bob/model", image.digest)
        assert not await repositories.indexes("alice/model", found[0].digest)

    async def test_manifests_of_a_type_that_nothing_names_are_dropped(
        self, repositories: Repositories
    ) -> None:
        """With their tags, and what they alone needed; not those that an index names, were pushed again, or are new."""
        kind, blob = "application/x-weights", digest_of(b"x")
        await repositories.link_blob("alice/model", blob, 1)
        named, unnamed, again, other = (
            a_manifest(text, artifact_type=type_, blobs={blob: 1} if text == b"unnamed" else {})
            for text, type_ in (
                (b"named", kind),
                (b"unnamed", kind),
                (b"again", kind),
                (b"other", "application/y"),
            )
        )
        for each in (named, unnamed, again, other):
            await repositories.put_manifest(each, tag=each.content.decode())
        await repositories.put_manifest(a_manifest(b"index", manifests=(named.digest,)), tag=None)
        later = NOW + timedelta(hours=5)
        await repositories.put_manifest(replace(again, created_at=later), tag="again")
        assert await repositories.drop_unused(kind, NOW) == 0
        assert await repositories.drop_unused(kind, NOW + timedelta(hours=1)) == 1
        assert await repositories.manifest("alice/model", "unnamed") is None
        assert list(await repositories.tags("alice/model", limit=10, after=None)) == [
            "again",
            "named",
            "other",
        ]
        assert await repositories.unlink_blob("alice/model", blob)
        assert await repositories.drop_unused(kind, later + timedelta(hours=1)) == 1

    async def test_a_dropped_repository_is_empty(self, repositories: Repositories) -> None:
        """Nothing of it comes back when its name is used again, and others keep theirs."""
        blob = digest_of(b"x")
        for name in ("alice/model", "bob/model"):
            await repositories.link_blob(name, blob, 1)
            await repositories.put_manifest(a_manifest(repository=name, blobs={blob: 1}), tag="latest")
        await repositories.drop("alice/model")
        assert not await repositories.has_manifests("alice/model")
        assert await repositories.blob_size("alice/model", blob) is None
        assert await repositories.tags("alice/model", limit=10, after=None) == []
        assert await repositories.manifest("bob/model", "latest") is not None
        assert await repositories.put_manifest(a_manifest(blobs={blob: 1}), tag=None) == (blob,)
