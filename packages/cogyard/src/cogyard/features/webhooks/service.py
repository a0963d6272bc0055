"""Tells other servers what became of predictions: at least once each, in order, signed, again for hours.

Theory of operation. An event's letter is written in the transaction of the event itself, so none is lost; it is
forgotten only after the other side has said yes, so one may come twice (its `webhook-id` is the same). A later event
of a prediction waits for the earlier ones to the same receiver; other predictions and receivers do not wait for it,
unless so many calls of their account are under way that there would be no room for other accounts' (`AT_ONCE`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from cogyard.domain.values import Prediction
from cogyard.domain.webhooks import OWN, RETRY_WAITS, as_of, next_try, signature
from cogyard.features.accounts.service import Accounts
from cogyard.features.predictions.ports import PredictionStore, Record
from cogyard.features.predictions.shown import shown
from cogyard.features.predictions.upkeep import Pulse
from cogyard.features.predictions.wire import prediction_json
from cogyard.features.webhooks.endpoints import Endpoints
from cogyard.features.webhooks.ports import (
    Caller,
    CallFailedError,
    Delivery,
    DeliveryLog,
    Letter,
    Outbox,
    WebhookEndpoint,
)
from cogyard.features.world import World
from cogyard.http.addresses import Addresses
from cogyard.http.traces import trace_headers

_log = logging.getLogger(__name__)

#: Calls at once. An account has no more of them under way than it leaves free for others: half when it is alone, and
#: whoever comes next finds some of the rest, however slowly the targets of those before answer.
AT_ONCE = 32
LOG_LIFE = timedelta(days=7)
# However long the next try is away, look again after this: the clock may have been set.
LONGEST_SLEEP, SHORTEST_SLEEP = 60.0, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Who is told, and what the call is signed with."""

    url: str
    secrets: tuple[str, ...]
    endpoint: WebhookEndpoint | None = None


@dataclass(frozen=True, slots=True)
class _Flying:
    """Calls under way, by their letter's rank, and how many each account has."""

    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    accounts: Counter[int | None] = field(default_factory=Counter)

    def takes(self, account_id: int | None) -> bool:
        """Whether an account may have one more."""
        return self.accounts[account_id] < AT_ONCE - len(self.tasks)

    def full(self) -> frozenset[int]:
        """Return the accounts that may not."""
        return frozenset(each for each in self.accounts if each is not None and not self.takes(each))


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """Empties the outbox as long as `run()` runs; `ring()` says that there is something new in it."""

    outbox: Outbox
    predictions: PredictionStore
    accounts: Accounts
    endpoints: Endpoints
    caller: Caller
    log: DeliveryLog
    world: World = field(default_factory=World)
    pause: float = 5.0
    """Seconds before a letter is tried again whose try could not be written down."""

    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _pulse: Pulse = field(default_factory=Pulse)

    def ring(self) -> None:
        """Say that a letter has been written."""
        self._bell.set()

    async def run(self) -> None:
        """Deliver what is due, until cancelled. A slow target holds up its own account's events only."""
        flying = _Flying()
        try:
            while True:
                self._bell.clear()
                # One that lands while the outbox is read may still be in what was read: it is not due again.
                launched = set(flying.tasks)
                await self._mind_the_clock()
                due = await self.outbox.due(self.world.now(), 2 * AT_ONCE, but=flying.full())
                fresh = 0
                for letter in due:
                    if letter.rank not in launched and flying.takes(letter.account_id):
                        self._launch(letter, flying)
                        fresh += 1
                if not fresh:
                    await self._rest(busy=bool(flying.tasks))
        finally:
            for task in flying.tasks.values():
                task.cancel()

    async def prune(self) -> int:
        """Forget tries of more than a week ago."""
        return await self.log.prune(self.world.now() - LOG_LIFE)

    async def deliver(self) -> int:
        """Try every letter that is due, once; return how many there were."""
        letters = await self.outbox.due(self.world.now(), AT_ONCE)
        await asyncio.gather(*(self._try(letter) for letter in letters))
        return len(letters)

    async def _mind_the_clock(self) -> None:
        """Bring forward what would wait for a clock that was set back to come as far again."""
        if self._pulse.set_back(self.world.now(), self.world.elapsed()):
            brought = await self.outbox.hurry(self.world.now(), (timedelta(0), *RETRY_WAITS))
            if brought:
                _log.warning("clock set back", extra={"action": "clock_set_back", "webhooks": brought})

    def _launch(self, letter: Letter, flying: _Flying) -> None:
        task = asyncio.create_task(self._try_or_pause(letter))
        flying.tasks[letter.rank] = task
        flying.accounts[letter.account_id] += 1

        def landed(_done: asyncio.Task[None]) -> None:
            del flying.tasks[letter.rank]
            flying.accounts[letter.account_id] -= 1
            if not flying.accounts[letter.account_id]:
                del flying.accounts[letter.account_id]
            self._bell.set()

        task.add_done_callback(landed)

    async def _rest(self, *, busy: bool) -> None:
        # Whoever lands rings the bell; the times of those that fly say nothing.
        due = None if busy else await self.outbox.next_due()
        wait = LONGEST_SLEEP if due is None else (due - self.world.now()).total_seconds()
        try:
            await asyncio.wait_for(self._bell.wait(), min(max(wait, SHORTEST_SLEEP), LONGEST_SLEEP))
        except TimeoutError:
            return

    async def _try_or_pause(self, letter: Letter) -> None:
        try:
            await self._try(letter)
        except Exception:  # noqa: BLE001 - said in the log
            # What was tried cannot be written down, as on a full disk: until it can, nobody is called over and over.
            _log.exception("webhook not noted", extra={"action": "webhook_not_noted"})
            await asyncio.sleep(self.pause)

    async def _try(self, letter: Letter) -> None:
        record = await self.predictions.get(letter.prediction_id)
        receiver = None if record is None else await self._receiver(letter, record.prediction)
        if record is None or receiver is None:
            await self.outbox.told(letter)
            return
        began, at = self.world.elapsed(), self.world.now()
        try:
            status = await self._send(letter, record, receiver)
            reason = f"it answered {status}"
        except CallFailedError as error:
            status, reason = 0, str(error)
        except Exception:  # noqa: BLE001 - said in the log
            # Ours, most likely; but nobody's address may keep the platform calling without a pause.
            _log.exception("webhook broke", extra={"action": "webhook_broke"})
            status, reason = 0, "it could not be called; the platform's log says why"
        await self.log.note(
            Delivery(
                account_id=record.prediction.account_id,
                prediction_id=letter.prediction_id,
                message_id=letter.message_id,
                event=letter.event,
                attempt=letter.attempts + 1,
                at=at,
                milliseconds=round((self.world.elapsed() - began) * 1000),
                status=status or None,
                problem=None if status else reason,
                endpoint=letter.endpoint,
            )
        )
        if 200 <= status < 300:
            await self._heard(letter, receiver)
        else:
            await self._failed(letter, receiver, reason)

    async def _heard(self, letter: Letter, receiver: Receiver) -> None:
        await self.outbox.told(letter)
        if receiver.endpoint is not None:
            await self.endpoints.heard(receiver.endpoint)

    async def _failed(self, letter: Letter, receiver: Receiver, reason: str) -> None:
        fields = {"action": "webhook_failed", "prediction": letter.prediction_id, "event": letter.event}
        _log.warning("webhook failed", extra={**fields, "reason": reason, "attempts": letter.attempts + 1})
        again = next_try(letter.event, letter.attempts + 1, self.world.now())
        if again is None:
            await self.outbox.told(letter)
        else:
            await self.outbox.later(letter, letter.attempts + 1, again)
        if receiver.endpoint is not None:
            lost = await self.endpoints.failed(receiver.endpoint, reason, given_up=again is None)
            if lost:
                _log.warning(
                    "webhook endpoint disabled",
                    extra={"action": "webhook_endpoint_disabled", "endpoint": receiver.endpoint.id},
                )

    async def _receiver(self, letter: Letter, prediction: Prediction) -> Receiver | None:
        """Return whom a letter is for; None when nobody is there any more."""
        if letter.endpoint == OWN:
            if prediction.webhook is None:
                return None
            return Receiver(
                url=prediction.webhook, secrets=await self.accounts.signing_secrets(prediction.account_id)
            )
        endpoint = await self.endpoints.store.get(letter.endpoint)
        if endpoint is None or not endpoint.enabled:
            return None
        return Receiver(url=endpoint.url, secrets=self.endpoints.secrets(endpoint), endpoint=endpoint)

    async def _send(self, letter: Letter, record: Record, receiver: Receiver) -> int:
        prediction = as_of(letter.event, shown(record, None))
        body = msgspec.json.encode(prediction_json(prediction, Addresses(prediction.origin)), enc_hook=dict)
        timestamp = int(self.world.now().timestamp())
        signatures = [signature(secret, letter.message_id, timestamp, body) for secret in receiver.secrets]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "cogyard-webhooks",
            "webhook-id": letter.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
            **trace_headers(prediction.trace),
        }
        return await self.caller.post(receiver.url, body, headers)
