"""A queue in memory, and what every queue promises the instances that work from it.

`FakeQueue` is the work source, reports, cancellations and backlog of `cogyard.instances.work`. `QueueContract` is
run over it and over the real one: subclass it in a test module, with the fixtures that its docstring names.
"""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from msgspec.structs import replace

from cogyard.domain.retry import Recovery
from cogyard.domain.values import Prediction, Status
from cogyard.instances.work import Claim, Outcome

VERSION = "a" * 64
OTHER_VERSION = "b" * 64


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class FakeClaim:
    """A claim on an entry."""

    prediction: Prediction
    lease_token: str
    expires_at: datetime
    entry: Entry

    @property
    def held(self) -> bool:
        """Whether nothing has ended or taken it since."""
        return self.entry.outcome is None and self.entry.token == self.lease_token


@dataclass
class Entry:
    """What a FakeQueue knows of one prediction."""

    prediction: Prediction
    token: str | None = None
    expires_at: datetime | None = None
    claims: int = 0
    outputs: list[Any] = field(default_factory=list)
    logs: str = ""
    outcome: Outcome | None = None
    canceled: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class FakeQueue:
    """Predictions in a dictionary, with leases of `lease` seconds by the clock `now`."""

    def __init__(self, *, lease: float = 30.0, now: Callable[[], datetime] = _utc_now) -> None:
        self.entries: dict[str, Entry] = {}
        self.renewals = 0
        self._lease = timedelta(seconds=lease)
        self._now = now
        self._ids = itertools.count(1)
        self._news = asyncio.Event()

    def add(self, deployable: str, inputs: Mapping[str, Any] | None = None) -> str:
        """Put a prediction in line and return its id."""
        prediction = Prediction(
            id=f"p{next(self._ids)}",
            model="alice/model",
            version=deployable,
            account_id=1,
            status=Status.STARTING,
            input=inputs or {},
            created_at=self._now(),
        )
        self.entries[prediction.id] = Entry(prediction=prediction)
        self._wake()
        return prediction.id

    def cancel(self, prediction_id: str) -> None:
        """Ask that a prediction stop: at once it is canceled, and its instance is told."""
        entry = self.entries[prediction_id]
        self._end(entry, Outcome(status="canceled"))
        entry.canceled.set()

    async def ended(self, prediction_id: str) -> Entry:
        """Return a prediction once it has its outcome."""
        await self.entries[prediction_id].done.wait()
        return self.entries[prediction_id]

    async def claim(self, deployable: str, *, instance: str) -> Claim | None:
        """Take the next waiting prediction, or None when there is none."""
        for entry in self.entries.values():
            if entry.prediction.version == deployable and self._waits(entry):
                entry.token = f"{instance}-{secrets.token_urlsafe(8)}"
                entry.expires_at = self._now() + self._lease
                entry.claims += 1
                entry.outputs, entry.logs = [], ""
                return FakeClaim(
                    prediction=entry.prediction,
                    lease_token=entry.token,
                    expires_at=entry.expires_at,
                    entry=entry,
                )
        return None

    async def claim_some(self, deployable: str, *, instance: str, most: int) -> Sequence[Claim]:
        """Take the next waiting predictions, at most so many."""
        claims: list[Claim] = []
        while len(claims) < most and (claim := await self.claim(deployable, instance=instance)) is not None:
            claims.append(claim)
        return claims

    async def wait_for_work(self, deployable: str, *, timeout: float) -> None:
        """Return when there may be work, or after `timeout` seconds."""
        if not (await self.waiting()).get(deployable):
            await self.wait_for_any(timeout=timeout)

    async def renew(self, prediction_id: str, lease_token: str) -> bool:
        """Extend the lease; False when it was lost."""
        self.renewals += 1
        entry = self._held(prediction_id, lease_token)
        if entry is not None:
            entry.expires_at = self._now() + self._lease
        return entry is not None

    async def give_back(self, prediction_id: str, lease_token: str) -> bool:
        """Let what was claimed and not begun wait again."""
        entry = self._held(prediction_id, lease_token)
        if entry is None or entry.prediction.status is not Status.STARTING:
            return False
        entry.token = entry.expires_at = None
        entry.claims -= 1
        self._wake()
        return True

    async def started(self, prediction_id: str, lease_token: str, *, ago: float = 0.0) -> bool:
        """Say that the model has begun."""
        entry = self._held(prediction_id, lease_token)
        if entry is not None:
            started_at = self._now() - timedelta(seconds=ago)
            entry.prediction = replace(entry.prediction, status=Status.PROCESSING, started_at=started_at)
        return entry is not None

    async def progress(
        self, prediction_id: str, lease_token: str, *, outputs: Sequence[Any] = (), logs: str = ""
    ) -> bool:
        """Add streamed outputs and log text."""
        entry = self._held(prediction_id, lease_token)
        if entry is not None:
            entry.outputs += outputs
            entry.logs += logs
        return entry is not None

    async def finished(self, prediction_id: str, lease_token: str, outcome: Outcome) -> bool:
        """Give the one terminal result."""
        entry = self._held(prediction_id, lease_token)
        if entry is not None:
            self._end(entry, outcome)
        return entry is not None

    async def wait_canceled(self, prediction_id: str) -> None:
        """Return once someone asks that this prediction stop."""
        await self.entries[prediction_id].canceled.wait()

    async def waiting(self) -> Mapping[str, int]:
        """Return how many predictions wait, by deployable."""
        counts: dict[str, int] = {}
        for entry in self.entries.values():
            if self._waits(entry):
                counts[entry.prediction.version] = counts.get(entry.prediction.version, 0) + 1
        return counts

    async def wait_for_any(self, *, timeout: float) -> None:
        """Return when work of any deployable may have arrived, or after `timeout` seconds."""
        with suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it loses a cancellation that comes with the news.
            async with asyncio.timeout(timeout):
                await self._news.wait()

    async def recover(self) -> Recovery:
        """Void every lease; all that was held waits again."""
        held = [entry for entry in self.entries.values() if entry.token and not entry.outcome]
        for entry in held:
            entry.token = entry.expires_at = None
            entry.prediction = replace(entry.prediction, status=Status.STARTING)
        self._wake()
        return Recovery(again=len(held))

    def _waits(self, entry: Entry) -> bool:
        if entry.outcome is not None:
            return False
        return entry.expires_at is None or entry.expires_at <= self._now()

    def _held(self, prediction_id: str, lease_token: str) -> Entry | None:
        entry = self.entries.get(prediction_id)
        return entry if entry is not None and not entry.outcome and entry.token == lease_token else None

    def _end(self, entry: Entry, outcome: Outcome) -> None:
        if entry.outcome is None:
            entry.outcome = outcome
            entry.prediction = replace(entry.prediction, status=Status(outcome.status))
            entry.done.set()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class QueueUnderTest(Protocol):
    """What a queue's contract needs besides the ports: someone who creates and cancels predictions."""

    async def add(self, deployable: str) -> str:
        """Create a prediction of this version and return its id."""
        ...

    async def cancel(self, prediction_id: str) -> None:
        """Cancel it as its owner does."""
        ...

    async def status(self, prediction_id: str) -> Status:
        """Return where it is."""
        ...


class QueueContract:
    """What a queue promises its instances. A subclass gives the fixtures `queue` and `owner` (QueueUnderTest)."""

    async def test_oldest_first_and_each_once(self, queue: Any, owner: QueueUnderTest) -> None:
        """Predictions are claimed in the order they came, each by one claimer, then there is none."""
        ids = [await owner.add(VERSION) for _ in range(3)]
        claims = [await queue.claim(VERSION, instance="i") for _ in range(4)]
        assert [claim.prediction.id for claim in claims[:3]] == ids
        assert claims[3] is None
        assert len({claim.lease_token for claim in claims[:3]}) == 3

    async def test_claims_at_the_same_moment_never_share(self, queue: Any, owner: QueueUnderTest) -> None:
        """Ten claimers and five predictions: five claims, all different."""
        for _ in range(5):
            await owner.add(VERSION)
        claims = await asyncio.gather(*(queue.claim(VERSION, instance=f"i{n}") for n in range(10)))
        taken = [claim.prediction.id for claim in claims if claim is not None]
        assert len(taken) == len(set(taken)) == 5

    async def test_several_are_claimed_at_once(self, queue: Any, owner: QueueUnderTest) -> None:
        """Oldest first, at most so many, each by a lease of its own."""
        ids = [await owner.add(VERSION) for _ in range(3)]
        claims = await queue.claim_some(VERSION, instance="i", most=2)
        assert [claim.prediction.id for claim in claims] == ids[:2]
        assert len({claim.lease_token for claim in claims}) == 2
        assert all(claim.held for claim in claims)
        assert [each.prediction.id for each in await queue.claim_some(VERSION, instance="i", most=2)] == ids[
            2:
        ]
        assert not await queue.claim_some(VERSION, instance="i", most=2)

    async def test_what_is_given_back_waits_in_its_place(self, queue: Any, owner: QueueUnderTest) -> None:
        """It is claimed again before what came after it, by a waiting instance that is woken for it."""
        ids = [await owner.add(VERSION) for _ in range(2)]
        claim = await queue.claim(VERSION, instance="i")
        await queue.claim_some(VERSION, instance="i", most=2)
        waits = asyncio.create_task(queue.wait_for_work(VERSION, timeout=60))
        await asyncio.sleep(0.01)
        assert await queue.give_back(ids[0], claim.lease_token)
        async with asyncio.timeout(10):
            await waits
        assert not claim.held
        await owner.add(VERSION)
        again = await queue.claim(VERSION, instance="j")
        assert again.prediction.id == ids[0]
        assert not await queue.give_back(ids[0], claim.lease_token)
        assert again.held

    async def test_what_has_begun_is_not_given_back(self, queue: Any, owner: QueueUnderTest) -> None:
        """The model has seen it: its run goes on."""
        prediction = await owner.add(VERSION)
        claim = await queue.claim(VERSION, instance="i")
        await queue.started(prediction, claim.lease_token)
        assert not await queue.give_back(prediction, claim.lease_token)
        assert claim.held
        assert await queue.finished(prediction, claim.lease_token, Outcome(status="succeeded"))
        assert not claim.held

    async def test_a_cancel_is_seen_by_who_holds_it(self, queue: Any, owner: QueueUnderTest) -> None:
        """A claim that was canceled before it began is no longer held."""
        prediction = await owner.add(VERSION)
        claim = await queue.claim(VERSION, instance="i")
        await owner.cancel(prediction)
        assert not claim.held

    async def test_other_versions_work_is_not_mine(self, queue: Any, owner: QueueUnderTest) -> None:
        """A claim names its version and gets nothing of another."""
        await owner.add(VERSION)
        assert await queue.claim(OTHER_VERSION, instance="i") is None

    async def test_reports_lead_to_the_outcome(self, queue: Any, owner: QueueUnderTest) -> None:
        """Started, progress and finished are taken from the holder, once."""
        prediction = await owner.add(VERSION)
        claim = await queue.claim(VERSION, instance="i")
        assert await queue.started(prediction, claim.lease_token)
        assert await queue.progress(prediction, claim.lease_token, outputs=["a"], logs="l\n")
        assert await queue.renew(prediction, claim.lease_token)
        outcome = Outcome(status="succeeded", streamed=True)
        assert await queue.finished(prediction, claim.lease_token, outcome)
        assert await owner.status(prediction) is Status.SUCCEEDED
        assert not await queue.finished(prediction, claim.lease_token, Outcome(status="failed"))
        assert await owner.status(prediction) is Status.SUCCEEDED

    async def test_a_stale_token_changes_nothing(self, queue: Any, owner: QueueUnderTest) -> None:
        """Whoever does not hold the lease is told so, whatever it reports."""
        prediction = await owner.add(VERSION)
        await queue.claim(VERSION, instance="i")
        assert not await queue.renew(prediction, "stale")
        assert not await queue.started(prediction, "stale")
        assert not await queue.progress(prediction, "stale", outputs=["x"])
        assert not await queue.finished(prediction, "stale", Outcome(status="succeeded"))
        assert not (await owner.status(prediction)).terminal

    async def test_recovery_gives_work_back(self, queue: Any, owner: QueueUnderTest) -> None:
        """After recover() what was held and never handed over waits again, and its old holder is overtaken."""
        prediction = await owner.add(VERSION)
        old = await queue.claim(VERSION, instance="old")
        assert await queue.recover() == Recovery(again=1)
        assert await queue.waiting() == {VERSION: 1}
        new = await queue.claim(VERSION, instance="new")
        assert new.prediction.id == prediction
        assert not await queue.finished(prediction, old.lease_token, Outcome(status="failed"))
        assert await queue.finished(prediction, new.lease_token, Outcome(status="succeeded", output=1))

    async def test_waiting_counts_what_nobody_holds(self, queue: Any, owner: QueueUnderTest) -> None:
        """The backlog is what waits, by version; what is held or ended is not in it."""
        assert await queue.waiting() == {}
        for _ in range(2):
            await owner.add(VERSION)
        await owner.add(OTHER_VERSION)
        await queue.claim(VERSION, instance="i")
        assert await queue.waiting() == {VERSION: 1, OTHER_VERSION: 1}

    async def test_new_work_wakes_who_waits(self, queue: Any, owner: QueueUnderTest) -> None:
        """A waiting instance and the controller are woken long before their timeouts."""
        assert await queue.claim(VERSION, instance="i") is None
        waits = [
            asyncio.create_task(queue.wait_for_work(VERSION, timeout=60)),
            asyncio.create_task(queue.wait_for_any(timeout=60)),
        ]
        await asyncio.sleep(0.01)
        await owner.add(VERSION)
        async with asyncio.timeout(10):
            await asyncio.gather(*waits)

    async def test_a_cancel_reaches_the_instance(self, queue: Any, owner: QueueUnderTest) -> None:
        """The instance that runs it is told, and what it then reports changes nothing."""
        prediction = await owner.add(VERSION)
        claim = await queue.claim(VERSION, instance="i")
        told = asyncio.create_task(queue.wait_canceled(prediction))
        await asyncio.sleep(0.01)
        await owner.cancel(prediction)
        async with asyncio.timeout(10):
            await told
        await queue.finished(prediction, claim.lease_token, Outcome(status="succeeded"))
        assert await owner.status(prediction) is Status.CANCELED
