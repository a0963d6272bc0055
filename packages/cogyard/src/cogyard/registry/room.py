"""How much more an account's repositories may hold, asked before bytes are taken and when a blob is linked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cogyard.domain.blobs import TooLargeError
from cogyard.registry.collection import BATCH, LEAST_GRACE
from cogyard.registry.context import Context
from cogyard.registry.errors import QuotaExceededError
from cogyard.registry.ports import QuotaReachedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What may still come: `max_blob` bytes for one blob, `quota` for all that the owner's repositories hold."""

    owner: str
    max_blob: int | None
    held: int = 0
    quota: int | None = None
    unused: int = 0
    """Of what is held: layers of pushes that did not end."""

    @contextmanager
    def limit(self, *, there: int = 0) -> Iterator[int | None]:
        """Give the most bytes that a blob may have of which `there` have come (and are held) already.

        Raises in place of TooLargeError, where the quota was the lower limit, QuotaExceededError.
        """
        left = None if self.quota is None else self.quota - self.held + there
        limits = [each for each in (self.max_blob, left) if each is not None]
        try:
            yield min(limits, default=None)
        except TooLargeError as error:
            if left is not None and error.limit == left != self.max_blob:
                raise self.refusal() from error
            raise

    def refusal(self, more: int = 0) -> QuotaExceededError:
        """Return the error that names the quota; `more` bytes were to come."""
        return QuotaExceededError(
            owner=self.owner, held=self.held, quota=self.quota or 0, more=more, unused=self.unused
        )


async def room_in(context: Context, repository: str, *, announced: int | None = None) -> Room:
    """Return what may still come into a repository; `announced` are the bytes that the request says it brings.

    What is being sent counts too: otherwise many uploads at once, never finished, would fill the disk. Raises
    QuotaExceededError when there is no room for a byte, or for what is announced.
    """
    owner = repository.partition("/")[0]
    if context.quota is None:
        return Room(owner=owner, max_blob=context.max_blob)
    more = announced or 0
    room = await _room(context, owner, context.quota)
    # docker says no length: what comes may need the room that is left and more, and is then cut off.
    tight = _full(room, more) or (announced is None and room.held > context.quota // 2)
    if tight and await _release(context, owner):
        room = await _room(context, owner, context.quota)
    if _full(room, more):
        raise await told(context, room, more)
    return room


async def link(context: Context, repository: str, digest: str, size: int) -> None:
    """Let the repository have a blob. Raises QuotaExceededError."""
    try:
        await context.repositories.link_blob(repository, digest, size, quota=context.quota)
    except QuotaReachedError as error:
        owner = repository.partition("/")[0]
        unused = await context.repositories.unused(owner)
        raise QuotaExceededError(
            owner=owner, held=error.held, quota=error.quota, more=size, unused=unused
        ) from error


async def told(context: Context, room: Room, more: int = 0) -> QuotaExceededError:
    """Return the error that names the quota, and what of it will come free by itself."""
    now = await _room(context, room.owner, room.quota or 0)  # others may have come while this one was sent
    unused = await context.repositories.unused(room.owner) + await context.uploads.held(room.owner)
    return replace(now, unused=unused).refusal(more)


async def within(context: Context, repository: str) -> None:
    """Raise QuotaExceededError when what is held and what is being sent are already more than the quota.

    Uploads that began side by side may each have had room and together have none. It is asked before one becomes a
    blob, which would be nobody's when it cannot be linked, and count for nobody.
    """
    if context.quota is None:
        return
    owner = repository.partition("/")[0]
    room = await _room(context, owner, context.quota)
    if room.held > context.quota:
        raise await told(context, room)


async def _room(context: Context, owner: str, quota: int) -> Room:
    held = await context.repositories.held(owner) + await context.uploads.held(owner)
    return Room(owner=owner, max_blob=context.max_blob, held=held, quota=quota)


def _full(room: Room, more: int) -> bool:
    quota = room.quota or 0
    return room.held >= quota or room.held + more > quota


async def _release(context: Context, owner: str) -> bool:
    """Take what pushes left that did not end out of the owner's repositories, once no push can go on with it.

    The collection does so too, a day later: until then somebody who was refused could delete nothing to get on.
    """
    before = context.clock() - LEAST_GRACE
    released = await context.uploads.drop_idle(owner, before) > 0
    while await context.repositories.unlink_unused(before, limit=BATCH, owner=owner):
        released = True
    return released
