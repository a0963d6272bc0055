"""Exports of accounts: who may have one, how many at once and how often, and what ends with them.

Theory of operation: an export is made in threads, a piece at a time, as fast as its reader takes it. Whoever goes
away ends it: the piece that is being made is finished and thrown away, and nothing is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from cogyard.domain.rates import Bucket, take
from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.exports.ports import Archives
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ForbiddenError

#: Of all accounts together. Each reads all rows of an account, and holds them on the disk until they are sent.
AT_ONCE = 2
#: Of one account.
AN_HOUR = 6
_HOUR = 3600.0
_COME_BACK = 30


@dataclass(frozen=True, kw_only=True)
class Exports:
    """Begins exports."""

    archives: Archives
    world: World = field(default_factory=World)
    _running: set[int] = field(default_factory=set)
    _buckets: dict[int, Bucket] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    """The loop holds its tasks weakly; nobody waits for these."""

    def begin(self, account: Account, *, images: bool = False) -> Export:
        """Return an account's export, to be read and closed. Raises ForbiddenError, BusyError."""
        if not account.role.covers(Role.OWNER):
            raise ForbiddenError(
                f"As a {account.role} of {account.username} you may not export it; an owner may."
            )
        if account.id in self._running:
            raise BusyError(f"An export of {account.username} is on its way already.", retry_after=_COME_BACK)
        if len(self._running) >= AT_ONCE:
            raise BusyError(
                f"{len(self._running)} exports are on their way, as many as there may be at once. Ask again later.",
                retry_after=_COME_BACK,
            )
        self._count(account)
        self._running.add(account.id)
        pieces = self.archives.pieces(account, self.world.now(), images=images)
        return Export(pieces, partial(self._running.discard, account.id), self._closing)

    def _count(self, account: Account) -> None:
        taken = take(self._buckets.get(account.id), AN_HOUR, self.world.elapsed(), period=_HOUR)
        self._buckets[account.id] = taken.bucket
        if taken.wait > 0:
            raise BusyError(
                f"Request was throttled: at most {AN_HOUR} exports of an account are begun in an hour. The next may be"
                f" in ~{taken.seconds}s.",
                retry_after=taken.seconds,
                limit=AN_HOUR,
            )


class Export:
    """One export on its way: iterate over its bytes once, and close it in the end, whatever happened."""

    def __init__(self, pieces: Generator[bytes], ended: partial[None], held: set[asyncio.Task[None]]) -> None:
        self._pieces = pieces
        self._held = held
        self._ended = ended
        self._step: asyncio.Future[bytes | None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the pieces."""
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        while True:
            self._step = asyncio.ensure_future(asyncio.to_thread(next, self._pieces, None))
            # The thread cannot be stopped: who waits for it no longer leaves it to `close`.
            piece = await asyncio.shield(self._step)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """End it, in its own time: what is being read is read, and thrown away. May be called twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
            self._held.add(self._closing)
            self._closing.add_done_callback(self._held.discard)

    async def closed(self) -> Self:
        """Wait until nothing of it is left."""
        self.close()
        if self._closing is not None:
            await asyncio.shield(self._closing)
        return self

    async def _close(self) -> None:
        try:
            if self._step is not None:
                await asyncio.gather(self._step, return_exceptions=True)
            await asyncio.to_thread(self._pieces.close)
        finally:
            self._ended()
