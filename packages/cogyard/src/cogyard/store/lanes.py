"""The threads that talk to SQLite: one writer that commits for many, and readers beside it.

Theory of operation. A commit costs an fsync, whoever waits for it. While the writer waits for the disk, more jobs
arrive; the next turn takes them all, runs each in a savepoint of its own, commits once, and only then answers. So a
job is durable when its answer comes, a failing job undoes itself alone, and the price of an fsync is shared by
everybody who came during the one before. Nothing is delayed on purpose: an idle database commits at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from cogyard.store.errors import DatabaseClosedError, translated

# Jobs of one commit. Large enough to share an fsync widely, small enough that the first does not wait long.
MAX_BATCH = 256

Work = Callable[[sqlite3.Connection], Any]


@dataclass(eq=False, slots=True)
class Job:
    """Some work and who waits for it."""

    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


@dataclass(eq=False)
class Lane:
    """A thread with a connection and a line of jobs in front of it."""

    name: str
    path: Path
    jobs: SimpleQueue[Job | None] = field(default_factory=SimpleQueue)

    def start(self, connection: sqlite3.Connection) -> threading.Thread:
        """Start a thread that serves this lane with a connection of its own until it takes a None."""
        thread = threading.Thread(
            target=self._serve, args=(connection,), name=f"cogyard-{self.name}", daemon=True
        )
        thread.start()
        return thread

    def take(self, work: Work) -> asyncio.Future[Any]:
        """Put work in line, from an event loop; the future carries its result or its error."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.jobs.put(Job(work, loop, future))
        return future

    def _serve(self, connection: sqlite3.Connection) -> None:
        try:
            while (job := self.jobs.get()) is not None:
                self._turn(connection, job)
        finally:
            connection.close()

    def _turn(self, connection: sqlite3.Connection, job: Job) -> None:
        raise NotImplementedError

    def refuse_the_rest(self) -> None:
        """Answer what came too late; called when every thread of this lane has ended."""
        while True:
            try:
                job = self.jobs.get_nowait()
            except Empty:
                return
            if job is not None:
                job.error = DatabaseClosedError("The platform is stopping.")
                answer([job])


class ReadLane(Lane):
    """Reads, each in a transaction of its own, so that it sees one moment."""

    def _turn(self, connection: sqlite3.Connection, job: Job) -> None:
        try:
            connection.execute("BEGIN")
            job.result = job.work(connection)
        except sqlite3.Error as error:
            job.error = translated(error, self.path)
        except BaseException as error:  # noqa: BLE001 - carried to whoever asked
            job.error = error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        answer([job])


class WriteLane(Lane):
    """Writes, many to a commit."""

    def _turn(self, connection: sqlite3.Connection, job: Job) -> None:
        batch = [job, *self._waiting()]
        try:
            connection.execute("BEGIN IMMEDIATE")
            for each in batch:
                self._attempt(connection, each)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            # The whole commit is gone (a full disk, a lost lock): nobody may think that theirs was kept.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for each in batch:
                each.error = each.error or translated(error, self.path)
        answer(batch)

    def _waiting(self) -> list[Job]:
        more: list[Job] = []
        while len(more) < MAX_BATCH - 1:
            try:
                job = self.jobs.get_nowait()
            except Empty:
                break
            if job is None:
                # Stop after this turn: put the word back at the end of the line.
                self.jobs.put(None)
                break
            more.append(job)
        return more

    def _attempt(self, connection: sqlite3.Connection, job: Job) -> None:
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except BaseException as error:
            job.error = translated(error, self.path) if isinstance(error, sqlite3.Error) else error
            if not connection.in_transaction:
                # SQLite gave the transaction up by itself: the jobs before this one are undone too.
                raise sqlite3.OperationalError("the transaction was rolled back") from error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")


def answer(jobs: Iterable[Job]) -> None:
    """Hand results to the loops that wait for them, one wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, group in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, group)
        except RuntimeError:
            # The loop has been closed: nobody is left to hear it.
            continue


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
