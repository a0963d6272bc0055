"""Remove what no manifest needs any more, while pushes go on.

Theory of operation: a push that breaks off, or a manifest that is deleted, leaves blobs behind. First go the manifests
of weights that no index names, which mean nothing alone. Then repositories give up the blobs that no manifest of theirs
needs; then bytes go that no repository has. All go by when something was last wanted, so the blobs of a push whose
manifest is still to come stay for the grace time. Every step that relies on a blob renews it first, and each removal
looks at its time again under a lock (`Collectable`) or in the transaction that removes it: so either the removal or the
push comes first, and a push that comes second is told that the blob is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cogyard.domain.blobs import Collectable, ExpiringUploads
from cogyard.registry.ports import Usage
from cogyard.weights.artifact import ARTIFACT as WEIGHTS

GRACE = timedelta(hours=24)
"""How long a blob may wait for its manifest: as long as an upload lives."""

LEAST_GRACE = timedelta(hours=1)
"""The least while pushes may go on: between the last blob of a push and its manifest is no more than this."""

BATCH = 500
"""Links removed in one transaction: some milliseconds, so that pushes do not wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What was removed."""

    links: int
    """How often a repository had a blob that none of its manifests needed."""
    blobs: int
    size: int
    """Bytes that came free."""


async def collect(
    usage: Usage,
    blobs: Collectable,
    uploads: ExpiringUploads,
    *,
    now: datetime,
    grace: timedelta = GRACE,
) -> Collected:
    """Remove what was last wanted longer than `grace` ago and nothing needs."""
    before = now - grace
    await uploads.sweep()
    while await usage.drop_unused(WEIGHTS, before):
        pass
    links = 0
    while removed := await usage.unlink_unused(before, limit=BATCH):
        links += removed
    count = size = 0
    async for found in blobs.idle(before):
        linked = await usage.linked(found)
        for digest in found:
            freed = None if digest in linked else await blobs.delete_idle(digest, before)
            if freed is not None:
                count, size = count + 1, size + freed
    return Collected(links=links, blobs=count, size=size)
