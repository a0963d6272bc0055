"""The threads that read SQLite, and how jobs and their answers come from and to event loops."""

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

Work = Callable[[sqlite3.Connection], Any]


@dataclass(eq=False, slots=True)
class Job:
    """Some work and who waits for it."""

    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    quick: bool = False
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


def answer(jobs: Iterable[Job], then: Callable[[], None] | None = None) -> bool:
    """Hand results to the loops that wait for them, one wake-up a loop; False when a loop has been closed.

    Each loop calls `then` once its results are there.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    all_heard = True
    for loop, group in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, group, then)
        except RuntimeError:
            # Nobody is left to hear it.
            all_heard = False
    return all_heard


def _settle(jobs: list[Job], then: Callable[[], None] | None = None) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
    if then is not None:
        then()
