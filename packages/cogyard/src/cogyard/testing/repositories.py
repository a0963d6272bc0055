"""What every store of repositories promises; run over `MemoryRepositories` and over the database."""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cogyard.registry.ports import QuotaReachedError, Repositories, StillUsedError, StoredManifest
from cogyard.testing.blob_contracts import refused
from cogyard.testing.blobs import digest_of

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
