"""How many refusals the audit log keeps: who is refused can ask again as often as they like, and a disk is finite."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from cogyard.domain.rates import Bucket, take

_log = logging.getLogger(__name__)

#: Of one account, at once and in the hour after that. Who tries one name after the other is seen by far fewer.
MOST, PERIOD = 60, 3600.0
#: Accounts that are remembered; the one that was refused the longest ago is forgotten first.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Refusals:
    """Counts refusals by account, in memory; nobody's are let in, since anybody can be nobody."""

    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def admit(self, actor: str, now: float) -> bool:
        """Whether one more is kept, at a moment of a clock that nobody sets."""
        if not actor:
            return False
        taken = take(self._buckets.pop(actor, None), MOST, now, period=PERIOD)
        if len(self._buckets) >= REMEMBERED:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[actor] = taken.bucket
        if taken.wait == 0 and taken.remaining == 0:
            _log.warning(
                "audit_refusals_full", extra={"account": actor, "most": MOST, "seconds": int(PERIOD)}
            )
        return taken.wait == 0
