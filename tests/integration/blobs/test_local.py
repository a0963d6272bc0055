"""What only a store on a real disk can get wrong: restarts, crashes, full disks, cancelled work, concurrency."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.domain.blobs import (
    DigestMismatchError,
    StorageFullError,
    UploadBusyError,
    UploadUnknownError,
)
from cogyard.testing.blob_contracts import LARGE
from cogyard.testing.blobs import collect, digest_of, pieces

from tests.small_disk import small_disk as mounted

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalBlobs]:
    """Make a store in a folder of its own."""
    store = LocalBlobs.open(tmp_path / "store")
    yield store
    store.close()


def files(store: LocalBlobs, folder: str) -> list[Path]:
    """Return the files below a part of the store."""
    return [path for path in (store.root / folder).rglob("*") if path.is_file()]


async def until(met: Callable[[], bool]) -> None:
    """Wait until work that goes on after a cancel is done."""
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110 - nobody is left to set an event
            await asyncio.sleep(0.01)


def open_files() -> int:
    """Count this process's open files."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - this is no folder of files


async def endless(reached: asyncio.Event) -> AsyncIterator[bytes]:
    """Send three megabytes, then nothing for ever."""
    async for piece in pieces(LARGE, 65536):
        yield piece
    reached.set()
    await asyncio.Event().wait()


async def test_a_blob_is_an_ordinary_file_in_its_shard(store: LocalBlobs) -> None:
    """So that it can be sent and unpacked without copying."""
    digest, _ = await store.write(pieces(b"hello"))
    path = store.path(digest)
    assert path is not None
    name = digest.removeprefix("sha256:")
    assert path == store.root / "blobs" / "sha256" / name[:2] / name
    assert path.read_bytes() == b"hello"
    assert store.path(digest_of(b"absent")) is None
    assert store.path("../../etc/passwd") is None


async def test_blobs_and_uploads_are_there_after_a_restart(tmp_path: Path) -> None:
    """An upload goes on where it was, and its digest covers what came before."""
    first = LocalBlobs.open(tmp_path)
    uploads = LocalUploads(first)
    digest, _ = await first.write(pieces(b"kept"))
    upload = await uploads.begin("alice/model")
    await uploads.append(upload.id, pieces(LARGE[:2_000_000], 65536))
    first.close()
    second = LocalBlobs.open(tmp_path)
    uploads = LocalUploads(second)
    assert await collect(second.read(digest)) == b"kept"
    again = await uploads.get(upload.id)
    assert (again.size, again.scope) == (2_000_000, "alice/model")
    await uploads.append(upload.id, pieces(LARGE[2_000_000:], 65536), offset=2_000_000)
    assert await uploads.commit(upload.id, digest_of(LARGE)) == len(LARGE)
    assert files(second, "uploads") == []
    second.close()


async def test_damage_during_a_restart_is_noticed(tmp_path: Path) -> None:
    """Bytes that a crash changed on the disk never become a blob."""
    first = LocalBlobs.open(tmp_path)
    uploads = LocalUploads(first)
    upload = await uploads.begin("a/b")
    await uploads.append(upload.id, pieces(LARGE, 65536))
    first.close()
    data = tmp_path / "uploads" / upload.id / "data"
    with data.open("r+b") as file:
        file.seek(1000)
        file.write(bytes(512))
    second = LocalBlobs.open(tmp_path)
    with pytest.raises(DigestMismatchError):
        await LocalUploads(second).commit(upload.id, digest_of(LARGE))
    assert await second.size(digest_of(LARGE)) is None
    second.close()


async def test_a_cancelled_write_leaves_nothing(store: LocalBlobs) -> None:
    """Whenever it comes, and no file is closed under a thread that still writes to it."""
    reached = asyncio.Event()
    task = asyncio.create_task(store.write(endless(reached)))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not files(store, "tmp"))
    assert files(store, "blobs") == []


async def test_a_cancelled_append_keeps_what_came(store: LocalBlobs) -> None:
    """And the next request goes on from there."""
    uploads = LocalUploads(store)
    upload = await uploads.begin("a/b")
    reached = asyncio.Event()
    task = asyncio.create_task(uploads.append(upload.id, endless(reached)))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await uploads.append(upload.id, pieces(b"more"))
    assert again.size == len(LARGE) + 4
    await uploads.commit(upload.id, digest_of(LARGE + b"more"))
    assert await collect(store.read(digest_of(LARGE + b"more"))) == LARGE + b"more"


async def test_one_writer_at_a_time(store: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second request waits for the first one a little, then is told that it goes on."""
    monkeypatch.setattr("cogyard.blobs.uploads.PATIENCE", 0.05)  # a constant, and nothing to inject
    uploads = LocalUploads(store)
    upload = await uploads.begin("a/b")
    reached = asyncio.Event()
    task = asyncio.create_task(uploads.append(upload.id, endless(reached)))
    await reached.wait()
    with pytest.raises(UploadBusyError):
        await uploads.append(upload.id, pieces(b"x"))
    with pytest.raises(UploadBusyError):
        await uploads.commit(upload.id, digest_of(LARGE))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_small_pieces_reach_the_disk_before_the_commit(store: LocalBlobs) -> None:
    """The kernel begins to write an upload while it comes, however small its pieces, so that the commit is short."""
    sizes: list[int] = []
    uploads = LocalUploads(store, start_writeback=lambda fd: sizes.append(os.fstat(fd).st_size))
    upload = await uploads.begin("alice/model")
    piece = bytes(10 << 20)
    for _ in range(4):
        upload = await uploads.append(upload.id, pieces(piece, 1 << 20), offset=upload.size)
    await until(lambda: bool(sizes))
    assert len(sizes) == 1
    assert sizes[0] > 2 * len(piece)  # the last of the 32 MiB may still be on their way to the file
    await uploads.discard(upload.id)


async def test_uploads_expire(store: LocalBlobs) -> None:
    """One that nobody writes to is unknown after its lifetime, and its space is free after the next look."""
    now = store.root.stat().st_mtime
    clock = [now]
    uploads = LocalUploads(store, lifetime=3600, clock=lambda: clock[0])
    old = await uploads.begin("a/b")
    await uploads.append(old.id, pieces(b"old"))
    clock[0] = now + 3000
    assert (await uploads.get(old.id)).size == 3
    clock[0] = now + 3700
    with pytest.raises(UploadUnknownError):
        await uploads.get(old.id)
    with pytest.raises(UploadUnknownError):
        await uploads.append(old.id, pieces(b"x"))
    assert (store.root / "uploads" / old.id).exists()
    await uploads.begin("a/b")
    assert not (store.root / "uploads" / old.id).exists()


async def test_a_reader_that_stops_early_leaves_no_open_file(store: LocalBlobs) -> None:
    """Neither when it stops between pieces nor while one is being read."""
    digest, _ = await store.write(pieces(LARGE, 65536))
    before = open_files()
    for _ in range(20):
        stream = store.read(digest)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        task = asyncio.create_task(collect(store.read(digest)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: open_files() <= before)


WRITER = """
import asyncio, sys
from pathlib import Path
from cogyard.blobs.local import LocalBlobs

async def slow():
    while True:
        yield bytes(1 << 20)
        print("written", flush=True)
        await asyncio.sleep(0.01)

asyncio.run(LocalBlobs.open(Path(sys.argv[1])).write(slow()))
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """But not what a living one is writing."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline()
        living = LocalBlobs.open(tmp_path)
        assert len(files(living, "tmp")) == 1
        living.close()
        process.kill()
        process.stdout.close()
        process.wait(20)
    after = LocalBlobs.open(tmp_path)
    assert files(after, "tmp") == []
    assert files(after, "blobs") == []
    after.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of four megabytes."""
    with mounted(tmp_path / "disk", "size=4m") as folder:
        yield folder


async def test_a_full_disk_is_said_and_nothing_is_left(small_disk: Path) -> None:
    """A blob and an upload that do not fit are dropped whole, and what fits is kept afterwards."""
    store = LocalBlobs.open(small_disk)
    uploads = LocalUploads(store)
    try:
        with pytest.raises(StorageFullError) as caught:
            await store.write(pieces(LARGE + LARGE, 65536))
        assert caught.value.http_status == 507
        await until(lambda: not files(store, "tmp"))
        assert files(store, "blobs") == []
        upload = await uploads.begin("a/b")
        with pytest.raises(StorageFullError):
            await uploads.append(upload.id, pieces(LARGE + LARGE, 65536))
        with pytest.raises(UploadUnknownError):
            await uploads.get(upload.id)
        assert files(store, "uploads") == []
        digest, size = await store.write(pieces(LARGE, 65536))
        assert (digest, size) == (digest_of(LARGE), len(LARGE))
    finally:
        store.close()


async def test_a_blob_renewed_after_it_was_listed_is_not_collected(store: LocalBlobs) -> None:
    """Whoever collects holds an old list; a write, a commit or a renewal since then wins."""
    digest, _ = await store.write(pieces(b"popular"))
    place = store.place(digest)
    assert place is not None
    before = datetime.now(UTC) - timedelta(hours=1)

    async def written() -> None:
        await store.write(pieces(b"popular"))

    async def committed() -> None:
        uploads = LocalUploads(store)
        upload = await uploads.begin("alice/model")
        await uploads.append(upload.id, pieces(b"popular"))
        await uploads.commit(upload.id, digest)

    async def renewed() -> None:
        await store.renew(digest)

    for wanted_again in (written, committed, renewed):
        os.utime(place, (0, 0))
        assert [each async for found in store.idle(before) for each in found] == [digest]
        await wanted_again()
        assert await store.delete_idle(digest, before) is None
        assert await store.size(digest) == 7


async def test_an_upload_that_lay_for_long_is_a_new_blob(store: LocalBlobs) -> None:
    """Its bytes came yesterday and its commit now: nobody may collect it before its manifest."""
    uploads = LocalUploads(store)
    upload = await uploads.begin("alice/model")
    await uploads.append(upload.id, pieces(b"slow"))
    yesterday = datetime.now(UTC).timestamp() - 86_000
    os.utime(store.root / "uploads" / upload.id / "data", (yesterday, yesterday))
    await uploads.commit(upload.id, digest_of(b"slow"))
    assert await store.delete_idle(digest_of(b"slow"), datetime.now(UTC) - timedelta(hours=1)) is None


async def test_a_second_process_leaves_what_the_first_is_writing(store: LocalBlobs) -> None:
    """`cogyard gc` beside a platform that runs opens the same folder."""

    async def slow() -> AsyncIterator[bytes]:
        yield LARGE
        LocalBlobs.open(store.root, clean=False).close()
        yield b"end"

    digest, size = await store.write(slow())
    assert (await store.size(digest), size) == (len(LARGE) + 3, len(LARGE) + 3)
