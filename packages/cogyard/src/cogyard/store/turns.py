"""Writes to SQLite: turns of many jobs, each turn one commit.

Theory of operation. A commit costs an fsync, whoever waits for it. While the disk is waited for, more jobs arrive; the
next turn takes them all, runs each in a savepoint of its own, commits once, and only then answers. So a job is durable
when its answer comes, a failing job undoes itself alone, and the price of an fsync is shared by everybody who came
during the one before. Nothing waits for a timer: an idle database commits as soon as the loop has
looked a few times for what has come meanwhile.

A turn of quick jobs is begun by the event loop itself, and the thread only commits: a thread that executes statements
asks for Python's lock again after each of them, and waits for it longer than a statement takes (decision 0032). A turn
with any other job in it, and one that finds the database locked by another process, is the thread's as a whole. There
is one turn at a time: whoever holds `_turn` has the connection, from its BEGIN to the end of its COMMIT.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

from cogyard.store.connection import BUSY_TIMEOUT_MS
from cogyard.store.errors import DatabaseClosedError, translated
from cogyard.store.lanes import Job, Work, answer

# Jobs of one commit. Large enough to share an fsync widely, small enough that the first does not wait long.
MAX_BATCH = 256
# Jobs that the loop runs in one go: a few milliseconds at most.
MAX_INLINE = 64
# Passes of the loop that a job waits for company. What has come with it takes so many to be a job itself: bytes are
# read, who waited for them is woken, says how a prediction ended, and lets an instance ask for the next. A pass takes 5
# to 10 microseconds where there is nothing to do, a commit a hundred times that (decision 0032).
PASSES = 5
# Seconds between two looks, at the end, for what the loop may still hand over.
_HANDING_OVER = 0.02


@dataclass(eq=False)
class _Turn:
    """Jobs that share a commit; `begun` says that they have been run and only the commit is left."""

    jobs: list[Job]
    begun: bool = False


@dataclass(eq=False)
class WriteLane:
    """Writes, many to a commit."""

    name: str
    path: Path
    jobs: deque[Job] = field(default_factory=deque)
    """What waits for a turn."""
    _turns: SimpleQueue[_Turn | None] = field(default_factory=SimpleQueue)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _connection: sqlite3.Connection | None = None
    _counting: asyncio.AbstractEventLoop | None = None
    """The loop that counts its passes already, for a job that came before."""

    def start(self, connection: sqlite3.Connection) -> threading.Thread:
        """Start the thread that commits until `stop`."""
        # The loop must not wait for another process; the thread may.
        connection.execute("PRAGMA busy_timeout = 0")
        self._connection = connection
        thread = threading.Thread(
            target=self._serve, args=(connection,), name=f"cogyard-{self.name}", daemon=True
        )
        thread.start()
        return thread

    def take(self, work: Work, *, quick: bool = False) -> asyncio.Future[Any]:
        """Put work in line, from an event loop; the future carries its result or its error.

        Quick work is a few statements on single rows: it may be run by the loop itself.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.jobs.append(Job(work, loop, future, quick=quick))
        if self._counting is not loop:
            self._counting = loop
            loop.call_soon(self._soon, loop, PASSES)
        return future

    def stop(self) -> None:
        """Let the thread finish what is in line, and end."""
        self._turns.put(None)

    def refuse_the_rest(self) -> None:
        """Answer what came too late; called when the thread has ended."""
        late = _taken(self.jobs, len(self.jobs))
        for job in late:
            job.error = DatabaseClosedError("The platform is stopping.")
        answer(late)

    def _soon(self, loop: asyncio.AbstractEventLoop, passes: int) -> None:
        """Begin a turn after so many passes of the loop, so that what comes together is committed together."""
        if passes > 1:
            loop.call_soon(self._soon, loop, passes - 1)
        else:
            self._counting = None
            self._pump()

    def _pump(self) -> None:
        """Begin a turn if there is something to do and none is under way; when one ends, this is called again."""
        if not self.jobs or not self._turn.acquire(blocking=False):
            return
        batch = _taken(self.jobs, MAX_BATCH)
        if len(batch) > MAX_INLINE or not all(job.quick for job in batch):
            self._turns.put(_Turn(batch))
            return
        connection = cast("sqlite3.Connection", self._connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            # Another process writes, or worse: the thread may wait, and says what it is.
            self._turns.put(_Turn(batch))
            return
        try:
            for each in batch:
                self._attempt(connection, each)
        except sqlite3.Error as error:
            self._undo(connection, batch, error)
            self._turn.release()
            answer(batch, self._pump)
            return
        self._turns.put(_Turn(batch, begun=True))

    def _serve(self, connection: sqlite3.Connection) -> None:
        try:
            while (turn := self._turns.get()) is not None:
                self._finish(connection, turn)
            while not self._turn.acquire(timeout=_HANDING_OVER):
                # The loop has begun a turn, and hands it over, unless it fails (a full disk) and is given back.
                with suppress(Empty):
                    if (turn := self._turns.get_nowait()) is not None:
                        self._finish(connection, turn)
            # The turn is never given back: nothing may begin any more.
            while batch := _taken(self.jobs, MAX_BATCH):
                self._commit(connection, _Turn(batch))
                answer(batch)
        finally:
            connection.close()

    def _finish(self, connection: sqlite3.Connection, turn: _Turn) -> None:
        while True:
            self._commit(connection, turn)
            self._turn.release()
            if answer(turn.jobs, self._pump):
                return
            # A loop has been closed, so it may be that nobody pumps any more.
            if not self.jobs or not self._turn.acquire(blocking=False):
                return
            turn = _Turn(_taken(self.jobs, MAX_BATCH))

    def _commit(self, connection: sqlite3.Connection, turn: _Turn) -> None:
        try:
            if not turn.begun:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
                try:
                    connection.execute("BEGIN IMMEDIATE")
                finally:
                    connection.execute("PRAGMA busy_timeout = 0")
                for each in turn.jobs:
                    self._attempt(connection, each)
            # Not a statement like others: this lets go of Python's lock once, those for each of their steps, and the
            # loop keeps us waiting each time that we want it back.
            connection.commit()
        except sqlite3.Error as error:
            self._undo(connection, turn.jobs, error)

    def _undo(self, connection: sqlite3.Connection, batch: list[Job], error: sqlite3.Error) -> None:
        # The whole commit is gone (a full disk, a lost lock): nobody may think that theirs was kept.
        # What cannot even be rolled back is so at the next BEGIN, which then says why; nobody waits for it here.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        for each in batch:
            each.error = each.error or translated(error, self.path)

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


def _taken(jobs: deque[Job], most: int) -> list[Job]:
    """Take what is in line, oldest first, at most so many."""
    found: list[Job] = []
    while len(found) < most:
        try:
            found.append(jobs.popleft())
        except IndexError:
            break
    return found
