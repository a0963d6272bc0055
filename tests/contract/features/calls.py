"""Predictions, their webhooks and endpoints, and a server that is called: over memory and over SQLite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.values import Account, Prediction, Status
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.accounts.service import Accounts
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.queue import Queue
from cogyard.features.webhooks.endpoints import Endpoints, Wanted
from cogyard.features.webhooks.ports import CallFailedError, WaitingLetters, WebhookEndpoint
from cogyard.features.webhooks.service import Deliveries
from cogyard.features.world import World
from cogyard.instances.work import Outcome
from cogyard.store.accounts import SqlAccounts
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.outbox import SqlDeliveryLog, SqlOutbox, SqlWaitingLetters
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.database import open_database
from cogyard.testing.endpoints import MemoryEndpoints
from cogyard.testing.handovers import FakeHandovers, Ground
from cogyard.testing.outbox import MemoryDeliveryLog, MemoryOutbox
from cogyard.testing.predictions import MemoryPredictions

pytestmark = pytest.mark.anyio
VERSION = "a" * 64
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1"
HOOK = "https://example.com/hook?a=b"


@dataclass
class Clock:
    """A clock that a test moves."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.moment


@dataclass
class Target:
    """A server that is called, and answers what the test says."""

    answers: list[int] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Addresses that answer 503."""
    stuck: set[str] = field(default_factory=set)
    """Addresses that never answer."""
    calls: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Take a call; 0 is a broken connection, less is a broken caller."""
        self.calls.append((url, body, headers))
        self.called.set()
        if url in self.stuck:
            await asyncio.Event().wait()
        if url in self.broken:
            return 503
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            raise CallFailedError("broken")
        if status < 0:
            raise UnicodeError("what no caller announces")
        return status

    @property
    def told(self) -> list[tuple[str, str]]:
        """What was told: (event, status)."""
        return [(h["webhook-id"].rpartition("-")[2], json.loads(body)["status"]) for _, body, h in self.calls]


@dataclass(kw_only=True)
class Scene:
    """A queue, its webhooks, and who is called."""

    queue: Queue
    deliveries: Deliveries
    target: Target
    clock: Clock
    account_id: int

    account: Account
    letters: WaitingLetters
    asked: int = 0

    @property
    def endpoints(self) -> Endpoints:
        """The endpoints of its account."""
        return self.deliveries.endpoints

    async def listen(self, **wanted: Any) -> WebhookEndpoint:
        """Make an endpoint."""
        return await self.endpoints.create(
            self.account, Wanted(**{"url": "https://ends.test/a", "events": ["completed"], **wanted})
        )

    async def exhaust(self) -> None:
        """Deliver what is due until nothing is."""
        while await self.deliveries.deliver():
            pass

    async def predict(self, *events: str, webhook: str | None = HOOK) -> Prediction:
        """Ask for a prediction with a webhook."""
        self.asked += 1
        prediction = Prediction(
            id=new_id(self.clock(), self.asked.to_bytes(10)),
            model="ann/hello",
            version=VERSION,
            account_id=self.account_id,
            status=Status.STARTING,
            input={},
            created_at=self.clock(),
            stream_token=f"s{self.asked}",
            origin="http://platform.test",
            webhook=webhook,
            trace=TRACE,
            webhook_events=events,
        )
        await self.queue.store.add(prediction, waiting(VERSION, None))
        return prediction

    async def run(self, *outputs: Any) -> None:
        """Run it."""
        claim = await self.queue.claim(VERSION, instance="i")
        assert claim is not None
        key, token = claim.prediction.id, claim.lease_token
        await self.queue.started(key, token)
        for output in outputs:
            await self.queue.progress(key, token, outputs=[output], logs="l\n")
            await self.queue.flush()
            await self.deliveries.deliver()
        await self.queue.finished(key, token, Outcome(status="succeeded", output="x", streamed=bool(outputs)))


@pytest.fixture(params=["memory", "sqlite"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a scene over one kind of store."""
    clock, target = Clock(), Target()
    world = World(now=clock)

    async def made(predictions: Any, outboxes: Any, log: Any, accounts: Any, endpoints: Any) -> Scene:
        outbox, letters = outboxes
        new = NewAccount(
            username="ann", name="Ann", type="user", is_admin=False, password_hash=None, created_at=clock()
        )
        account = await accounts.add(new)
        deliveries = Deliveries(
            outbox=outbox,
            predictions=predictions,
            accounts=Accounts(store=accounts, world=world),
            endpoints=Endpoints(store=endpoints, world=world),
            caller=target,
            log=log,
            world=world,
        )
        queue = Queue(
            handovers=FakeHandovers(Ground(begun=True)),
            store=predictions,
            world=world,
            on_message=deliveries.ring,
            audience=deliveries.endpoints.audience,
        )
        return Scene(
            queue=queue,
            deliveries=deliveries,
            target=target,
            clock=clock,
            account_id=account.id,
            account=account,
            letters=letters,
        )

    if request.param == "memory":
        memory = MemoryPredictions()
        outbox = MemoryOutbox(memory)
        yield await made(
            memory,
            (outbox, outbox),
            MemoryDeliveryLog(memory),
            MemoryAccounts(),
            MemoryEndpoints(memory),
        )
        return
    with open_database(tmp_path / "cogyard.db") as database:
        yield await made(
            SqlPredictions(database),
            (SqlOutbox(database), SqlWaitingLetters(database)),
            SqlDeliveryLog(database),
            SqlAccounts(database),
            SqlEndpoints(database),
        )
