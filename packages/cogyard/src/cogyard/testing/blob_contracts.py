"""What every store of blobs promises.

Run over the fakes and every real one: subclass a contract in a test module, with a fixture that makes the store.
"""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from cogyard.domain.blobs import (
    BlobStore,
    CollectableBlobs,
    DigestMismatchError,
    ExpiringUploads,
    TooLargeError,
    UploadOffsetError,
    Uploads,
    UploadUnknownError,
)
from cogyard.testing.blobs import collect, digest_of, pieces


@contextlib.contextmanager
def refused(kind: type[BaseException]) -> Iterator[Callable[[], BaseException]]:
    """Expect the block to raise `kind`; what is yielded returns the error afterwards."""
    caught: list[BaseException] = []
    try:
        yield lambda: caught[0]
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


# 3 MiB and a bit: more than any batch, and no multiple of one.
LARGE = hashlib.shake_256(b"large").digest(3 * (1 << 20) + 7)


class BlobStoreContract:
    """What a BlobStore promises. A subclass gives the fixture `store`."""

    async def test_gives_back_what_it_was_given(self, store: BlobStore) -> None:
        """The digest and size returned are the content's, and reading gives every byte back."""
        for data in (b"", b"x", b"hello" * 1000, LARGE):
            assert await store.write(pieces(data, 65536)) == (digest_of(data), len(data))
            assert await store.size(digest_of(data)) == len(data)
            assert await collect(store.read(digest_of(data))) == data

    async def test_reads_any_part(self, store: BlobStore) -> None:
        """A range gives exactly its bytes, wherever it lies."""
        digest, size = await store.write(pieces(LARGE, 100_000))
        for start, stop in (
            (0, 1),
            (1, 1),
            (5, 262_144),
            (262_143, 262_146),
            (size - 1, None),
            (size - 1, size + 9),
        ):
            assert await collect(store.read(digest, start, stop)) == LARGE[start:stop]

    async def test_absent_blobs_are_said_to_be_absent(self, store: BlobStore) -> None:
        """No size, a KeyError on reading, and nothing on deleting."""
        absent = digest_of(b"absent")
        assert await store.size(absent) is None
        with refused(KeyError):
            await collect(store.read(absent))
        await store.delete(absent)

    async def test_names_that_are_not_digests_lead_nowhere(self, store: BlobStore) -> None:
        """A hostile name is an absent blob, never a path."""
        data = b"secret"
        digest, _ = await store.write(pieces(data))
        name = digest.removeprefix("sha256:")
        hostile = (
            f"sha256:../{name[:2]}/{name}",
            f"sha256:{name}/../{name}",
            f"sha256:{name}\n",
            f"sha256:{name.upper()}",
            "sha256:",
            "",
            "../../etc/passwd",
            "/etc/passwd",
            f"sha512:{name}{name}",
            f"sha256:{name}\x00",
        )
        for text in hostile:
            assert await store.size(text) is None
            with refused(KeyError):
                await collect(store.read(text))
            await store.delete(text)
        assert await store.size(digest) == len(data)

    async def test_refuses_bytes_that_are_not_those_announced(self, store: BlobStore) -> None:
        """A wrong digest keeps nothing under either name."""
        with refused(DigestMismatchError):
            await store.write(pieces(b"one"), expected=digest_of(b"two"))
        assert await store.size(digest_of(b"one")) is None
        assert await store.size(digest_of(b"two")) is None

    async def test_refuses_more_than_the_limit(self, store: BlobStore) -> None:
        """The limit itself is allowed, one byte more is not, and keeps nothing."""
        assert (await store.write(pieces(b"12345"), limit=5))[1] == 5
        with refused(TooLargeError):
            await store.write(pieces(b"123456"), limit=5)
        assert await store.size(digest_of(b"123456")) is None

    async def test_a_stream_that_breaks_keeps_nothing(self, store: BlobStore) -> None:
        """What came before the break is no blob, and the break is passed on as it was."""
        with refused(ConnectionResetError):
            await store.write(pieces(LARGE, 65536, then=ConnectionResetError("gone")))
        assert await store.size(digest_of(LARGE)) is None

    async def test_the_same_bytes_are_kept_once_and_deleted_once(self, store: BlobStore) -> None:
        """Writing again, even at the same moment, is allowed; one delete is enough."""
        results = await asyncio.gather(*(store.write(pieces(LARGE, 50_000)) for _ in range(4)))
        assert set(results) == {(digest_of(LARGE), len(LARGE))}
        await store.delete(digest_of(LARGE))
        assert await store.size(digest_of(LARGE)) is None

    async def test_a_reader_finishes_although_the_blob_is_deleted(self, store: BlobStore) -> None:
        """Deleting under a reader does not tear its stream."""
        digest, _ = await store.write(pieces(LARGE, 65536))
        stream = store.read(digest)
        first = await anext(stream)
        await store.delete(digest)
        assert first + await collect(stream) == LARGE


class CollectableContract:
    """What a CollectableBlobs promises. A subclass gives the fixture `store`."""

    async def test_an_old_blob_is_idle_and_can_be_deleted(self, store: CollectableBlobs) -> None:
        """It is listed and goes when nobody wanted it since; its size is told, once."""
        data = b"unwanted"
        digest, size = await store.write(pieces(data))
        later = datetime.now(UTC) + timedelta(hours=1)
        assert [each async for found in store.idle(later) for each in found] == [digest]
        assert await store.delete_idle(digest, later) == size
        assert await store.size(digest) is None
        assert await store.delete_idle(digest, later) is None
        assert [found async for found in store.idle(later)] == []

    async def test_a_blob_that_was_wanted_since_stays(self, store: CollectableBlobs) -> None:
        """Written, committed or renewed after the time that is asked about: neither listed nor deleted."""
        digest, size = await store.write(pieces(b"wanted"))
        earlier = datetime.now(UTC) - timedelta(hours=1)
        assert [found async for found in store.idle(earlier)] == []
        assert await store.delete_idle(digest, earlier) is None
        assert await store.renew(digest) == size
        assert await store.size(digest) == size

    async def test_what_is_not_there_cannot_be_renewed(self, store: CollectableBlobs) -> None:
        """Whoever is about to rely on a blob hears that it is gone, whatever the name."""
        for digest in (digest_of(b"absent"), "sha256:../../etc/passwd", ""):
            assert await store.renew(digest) is None
            assert await store.delete_idle(digest, datetime.now(UTC)) is None


class ExpiringUploadsContract:
    """What an ExpiringUploads promises. A subclass gives the fixtures `uploads` and `expiring`, the same object."""

    async def test_open_uploads_are_counted_by_owner(
        self, uploads: Uploads, expiring: ExpiringUploads
    ) -> None:
        """The bytes sent so far, to all of an owner's repositories and to nobody else's; none once they ended."""
        one, two = await uploads.begin("alice/one"), await uploads.begin("alice/two")
        for upload, data in ((one, b"123"), (two, b"4567"), (await uploads.begin("alicia/x"), b"8")):
            await uploads.append(upload.id, pieces(data))
        assert await expiring.held("alice") == 7
        await uploads.discard(one.id)
        await uploads.commit(two.id, digest_of(b"4567"))
        await expiring.sweep()
        assert (await expiring.held("alice"), await expiring.held("alicia")) == (0, 1)

    async def test_an_owner_s_idle_uploads_are_dropped(
        self, uploads: Uploads, expiring: ExpiringUploads
    ) -> None:
        """Those that were last written to before a time; other owners' stay, and so do those that go on."""
        now, hour = datetime.now(UTC), timedelta(hours=1)
        mine, other = await uploads.begin("alice/one"), await uploads.begin("alicia/x")
        await uploads.append(mine.id, pieces(b"123"))
        assert await expiring.drop_idle("alice", now - hour) == 0
        assert await expiring.drop_idle("alice", now + hour) == 1
        assert await expiring.held("alice") == 0
        with refused(UploadUnknownError):
            await uploads.get(mine.id)
        assert (await uploads.get(other.id)).size == 0


class UploadsContract:
    """What an Uploads promises. A subclass gives the fixtures `uploads` and `store`, where its commits go."""

    async def test_pieces_become_a_blob(self, uploads: Uploads, store: BlobStore) -> None:
        """Bytes added over several calls are one blob after the commit, and no upload any more."""
        upload = await uploads.begin("alice/model")
        assert (upload.size, upload.scope) == (0, "alice/model")
        for start in range(0, len(LARGE), 1_000_000):
            part = LARGE[start : start + 1_000_000]
            upload = await uploads.append(upload.id, pieces(part, 65536), offset=start)
            assert upload.size == start + len(part)
            assert (await uploads.get(upload.id)).size == upload.size
        assert await uploads.commit(upload.id, digest_of(LARGE)) == len(LARGE)
        assert await collect(store.read(digest_of(LARGE))) == LARGE
        with refused(UploadUnknownError):
            await uploads.get(upload.id)

    async def test_an_upload_without_bytes_is_the_empty_blob(
        self, uploads: Uploads, store: BlobStore
    ) -> None:
        """Nothing at all is content too."""
        upload = await uploads.begin("a/b")
        assert await uploads.commit(upload.id, digest_of(b"")) == 0
        assert await store.size(digest_of(b"")) == 0

    async def test_what_came_before_a_break_stays(self, uploads: Uploads, store: BlobStore) -> None:
        """A sender whose connection broke asks how far it got, and goes on from there."""
        upload = await uploads.begin("a/b")
        with refused(ConnectionResetError):
            await uploads.append(upload.id, pieces(LARGE[:1_500_000], then=ConnectionResetError()))
        held = (await uploads.get(upload.id)).size
        assert held == 1_500_000
        await uploads.append(upload.id, pieces(LARGE[held:], 65536), offset=held)
        await uploads.commit(upload.id, digest_of(LARGE))
        assert await collect(store.read(digest_of(LARGE))) == LARGE

    async def test_refuses_a_gap_and_an_overlap(self, uploads: Uploads) -> None:
        """The next piece starts where the last one ended; the refusal says where, and harms nothing."""
        upload = await uploads.begin("a/b")
        await uploads.append(upload.id, pieces(b"12345"))
        for offset in (0, 4, 6):
            with refused(UploadOffsetError) as error:
                await uploads.append(upload.id, pieces(b"67"), offset=offset)
            caught = error()
            assert isinstance(caught, UploadOffsetError)
            assert caught.size == 5
        await uploads.append(upload.id, pieces(b"67"), offset=5)
        assert await uploads.commit(upload.id, digest_of(b"1234567")) == 7

    async def test_a_wrong_digest_ends_the_upload(self, uploads: Uploads, store: BlobStore) -> None:
        """Damaged content is dropped: neither an upload nor a blob is left."""
        upload = await uploads.begin("a/b")
        await uploads.append(upload.id, pieces(b"one"))
        with refused(DigestMismatchError):
            await uploads.commit(upload.id, digest_of(b"two"))
        with refused(UploadUnknownError):
            await uploads.get(upload.id)
        assert await store.size(digest_of(b"one")) is None

    async def test_refuses_more_than_the_limit(self, uploads: Uploads) -> None:
        """The limit counts the whole upload, and passing it ends the upload."""
        upload = await uploads.begin("a/b")
        await uploads.append(upload.id, pieces(b"123"), limit=5)
        with refused(TooLargeError):
            await uploads.append(upload.id, pieces(b"456"), limit=5)
        with refused(UploadUnknownError):
            await uploads.get(upload.id)

    async def test_a_dropped_upload_is_gone(self, uploads: Uploads) -> None:
        """After discard every further call says that there is no such upload; discarding again is no error."""
        upload = await uploads.begin("a/b")
        await uploads.discard(upload.id)
        await uploads.discard(upload.id)
        with refused(UploadUnknownError):
            await uploads.append(upload.id, pieces(b"x"))
        with refused(UploadUnknownError):
            await uploads.commit(upload.id, digest_of(b""))

    async def test_names_that_are_not_uploads_lead_nowhere(self, uploads: Uploads) -> None:
        """A hostile id is an unknown upload, never a path."""
        await uploads.begin("a/b")
        for text in ("", ".", "..", "../tmp", "/etc", "a" * 32, "0" * 32 + "\n", "\x00"):
            with refused(UploadUnknownError):
                await uploads.get(text)
            await uploads.discard(text)

    async def test_committing_what_is_there_already_is_fine(self, uploads: Uploads, store: BlobStore) -> None:
        """Two uploads of the same bytes make one blob, and both say so."""
        for _ in range(2):
            upload = await uploads.begin("a/b")
            await uploads.append(upload.id, pieces(b"same"))
            assert await uploads.commit(upload.id, digest_of(b"same")) == 4
        assert await collect(store.read(digest_of(b"same"))) == b"same"
