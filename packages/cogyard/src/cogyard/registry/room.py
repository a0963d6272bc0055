"""How much more an account's repositories may hold, asked before bytes are taken and when a blob is linked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cogyard.domain.blobs import TooLargeError
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

    def refusal(self) -> QuotaExceededError:
        """Return the error that names the quota."""
        return QuotaExceededError(owner=self.owner, held=self.held, quota=self.quota or 0)


async def room_in(context: Context, repository: str, *, announced: int | None = None) -> Room:
    """Return what may still come into a repository; `announced` are the bytes that the request says it brings.

    What is being sent counts too: otherwise many uploads at once, never finished, would fill the disk. Raises
    QuotaExceededError when there is no room for a byte, or for what is announced.
    """
    owner = repository.partition("/")[0]
    if context.quota is None:
        return Room(owner=owner, max_blob=context.max_blob)
    held = await context.repositories.held(owner) + await context.uploads.held(owner)
    room = Room(owner=owner, max_blob=context.max_blob, held=held, quota=context.quota)
    if held >= context.quota or held + (announced or 0) > context.quota:
        raise room.refusal()
    return room


async def link(context: Context, repository: str, digest: str, size: int) -> None:
    """Let the repository have a blob. Raises QuotaExceededError."""
    try:
        await context.repositories.link_blob(repository, digest, size, quota=context.quota)
    except QuotaReachedError as error:
        owner = repository.partition("/")[0]
        raise QuotaExceededError(owner=owner, held=error.held, quota=error.quota) from error
