"""An outbox in memory, over the predictions in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cogyard.domain.paging import Slice, Window
from cogyard.features.predictions.ports import Message
from cogyard.features.webhooks.ports import Delivery, Letter
from cogyard.testing.paging import sliced
from cogyard.testing.predictions import MemoryPredictions


@dataclass
class MemoryDeliveryLog:
    """Keeps the promises of `cogyard.features.webhooks.ports.DeliveryLog`."""

    predictions: MemoryPredictions
    tried: list[Delivery] = field(default_factory=list)

    async def note(self, delivery: Delivery) -> None:
        """Keep a try."""
        self.tried.append(replace(delivery, rank=len(self.tried) + 1))

    async def deliveries(
        self,
        account_id: int,
        window: Window,
        *,
        prediction_id: str | None = None,
        endpoint: str | None = None,
    ) -> Slice[Delivery]:
        """Return tries, newest first."""
        found = [
            each
            for each in self.tried
            if each.account_id == account_id
            and prediction_id in {None, each.prediction_id}
            and endpoint in {None, each.endpoint}
        ]
        return sliced(found, window, lambda each: (each.rank,))

    async def prune(self, before: datetime) -> int:
        """Forget old tries."""
        kept = [each for each in self.tried if each.at >= before]
        gone, self.tried = len(self.tried) - len(kept), kept
        return gone

    async def again(self, letter: Letter) -> bool:
        """Put a letter into the outbox."""
        key = (letter.prediction_id, letter.endpoint, letter.event)
        if key in self.predictions.outbox:
            return False
        self.predictions.outbox[key] = Message(
            id=letter.message_id, event=letter.event, due_at=letter.due_at, endpoint=letter.endpoint
        )
        return True


@dataclass
class MemoryOutbox:
    """Keeps the promises of `Outbox` and `WaitingLetters` of `cogyard.features.webhooks.ports`."""

    predictions: MemoryPredictions
    tries: dict[int, tuple[int, datetime]] = field(default_factory=dict)

    async def waiting(
        self, account_id: int, limit: int, *, prediction_id: str | None = None
    ) -> tuple[Letter, ...]:
        """Return what waits, the soonest due first."""
        mine = [
            letter
            for letter in self._all()
            if prediction_id in {None, letter.prediction_id}
            and letter.prediction_id in self.predictions.predictions
            and self.predictions.predictions[letter.prediction_id].account_id == account_id
        ]
        return tuple(sorted(mine, key=lambda letter: letter.due_at)[:limit])

    def _account_of(self, prediction_id: str) -> int | None:
        found = self.predictions.predictions.get(prediction_id)
        return None if found is None else found.account_id

    def _letters(self) -> list[Letter]:
        oldest: dict[tuple[str, str], Letter] = {}
        for letter in self._all():
            oldest.setdefault((letter.prediction_id, letter.endpoint), letter)
        return list(oldest.values())

    def _all(self) -> list[Letter]:
        found = []
        for place, message in self.predictions.outbox.items():
            prediction_id, endpoint, event = place
            key = hash(place)
            attempts, due_at = self.tries.get(key, (0, message.due_at))
            found.append(
                Letter(
                    rank=key,
                    message_id=message.id,
                    prediction_id=prediction_id,
                    event=event,
                    attempts=attempts,
                    due_at=due_at,
                    endpoint=endpoint,
                    account_id=self._account_of(prediction_id),
                )
            )
        return found

    async def due(self, now: datetime, limit: int, *, but: Collection[int] = ()) -> tuple[Letter, ...]:
        """Return each one's oldest letter of each prediction, if it is due."""
        found = [each for each in self._letters() if each.due_at <= now and each.account_id not in but]
        return tuple(sorted(found, key=lambda each: each.due_at)[:limit])

    async def next_due(self) -> datetime | None:
        """Return when the next letter is due."""
        return min((letter.due_at for letter in self._letters()), default=None)

    async def told(self, letter: Letter) -> None:
        """Forget a letter."""
        for place, message in list(self.predictions.outbox.items()):
            if (hash(place), message.id) == (letter.rank, letter.message_id):
                del self.predictions.outbox[place]

    async def hurry(self, now: datetime, waits: Sequence[timedelta]) -> int:
        """Let no letter be due later than its wait from now."""
        brought = 0
        for place, message in self.predictions.outbox.items():
            attempts, due_at = self.tries.get(hash(place), (0, message.due_at))
            latest = now + waits[attempts]
            if due_at > latest:
                self.tries[hash(place)] = (attempts, latest)
                brought += 1
        return brought

    async def later(self, letter: Letter, attempts: int, due_at: datetime) -> None:
        """Try a letter again then."""
        self.tries[letter.rank] = (attempts, due_at)
