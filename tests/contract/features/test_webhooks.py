"""Webhooks are told in order, at least once, signed, and again when the other side fails; over both stores."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Prediction, Status
from cogyard.domain.webhooks import signature
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.accounts.service import Accounts
from cogyard.features.predictions.moves import waiting
from cogyard.features.predictions.queue import Queue
from cogyard.features.webhooks.endpoints import Endpoints, Wanted
from cogyard.features.webhooks.ports import CallFailedError, Letter, WaitingLetters, WebhookEndpoint
from cogyard.features.webhooks.service import AT_ONCE, Deliveries
from cogyard.features.world import World
from cogyard.http.errors import InvalidError
from cogyard.instances.work import Outcome
from cogyard.store.accounts import SqlAccounts
from cogyard.store.endpoints import SqlEndpoints
from cogyard.store.outbox import SqlDeliveryLog, SqlOutbox, SqlWaitingLetters
from cogyard.store.predictions import SqlPredictions
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.database import open_database
from cogyard.testing.endpoints import MemoryEndpoints
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


async def test_start_and_end_are_told_in_order(scene: Scene) -> None:
    """The end waits for the start, and nothing is told twice."""
    await scene.predict("start", "completed")
    await scene.run()
    while await scene.deliveries.deliver():
        pass
    assert [event for event, _ in scene.target.told] == ["start", "completed"]
    assert await scene.deliveries.outbox.next_due() is None


async def test_only_what_was_asked_for_is_told(scene: Scene) -> None:
    """The filter decides."""
    await scene.predict("completed")
    await scene.run("a", "b")
    await scene.deliveries.deliver()
    assert scene.target.told == [("completed", "succeeded")]


async def test_outputs_and_logs_are_told_as_they_come(scene: Scene) -> None:
    """The body is the prediction as GET gives it, with what there is so far."""
    await scene.predict("output", "logs")
    await scene.run("a", "b")
    bodies = [json.loads(body) for _, body, _ in scene.target.calls]
    assert {event for event, _ in scene.target.told} == {"output", "logs"}
    assert bodies[0]["output"] == ["a"]
    assert bodies[-1]["output"] == ["a", "b"]
    assert bodies[0]["urls"]["get"].startswith("http://platform.test/v1/predictions/")


async def test_an_output_that_comes_while_another_is_told_is_told_after_it(scene: Scene) -> None:
    """Though it may be the last for long: what was on its way did not say it."""
    prediction = await scene.predict("output")
    claim = await scene.queue.claim(VERSION, instance="i")
    assert claim is not None
    outbox = scene.deliveries.outbox

    async def say(output: str) -> None:
        await scene.queue.progress(prediction.id, claim.lease_token, outputs=[output])
        await scene.queue.flush()

    await say("a")
    (flying,) = await outbox.due(scene.clock(), 10)
    await say("b")
    await outbox.told(flying)
    await scene.exhaust()
    (told,) = [json.loads(body)["output"] for _, body, _ in scene.target.calls]
    assert told == ["a", "b"]
    assert await outbox.due(scene.clock(), 10) == ()


async def test_the_end_is_told_again_until_it_is_heard(scene: Scene) -> None:
    """With the same id, later each time; a broken connection and an error count alike."""
    await scene.predict("completed")
    await scene.run()
    scene.target.answers = [0, 500, 204]
    for seconds in (0, 10, 30):
        scene.clock.moment += timedelta(seconds=seconds)
        assert await scene.deliveries.deliver() == 1
        assert await scene.deliveries.deliver() == 0
    ids = {headers["webhook-id"] for _, _, headers in scene.target.calls}
    assert len(scene.target.calls) == 3
    assert len(ids) == 1
    scene.clock.moment += timedelta(days=1)
    assert await scene.deliveries.deliver() == 0


async def test_a_target_that_never_hears_is_given_up(scene: Scene) -> None:
    """After hours, and the outbox is empty then."""
    await scene.predict("completed")
    await scene.run()
    scene.target.answers = [500] * 99
    while await scene.deliveries.deliver() or await scene.deliveries.outbox.next_due():
        scene.clock.moment += timedelta(hours=4)
    assert 5 < len(scene.target.calls) < 20


async def test_calls_are_signed(scene: Scene) -> None:
    """A receiver with the account's secret can check id, time and body."""
    await scene.predict("completed")
    await scene.run()
    await scene.deliveries.deliver()
    url, body, headers = scene.target.calls[0]
    secret = await scene.deliveries.accounts.webhook_secret(scene.account_id)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert url == "https://example.com/hook?a=b"
    assert f"{headers['traceparent']} {headers['tracestate']}" == TRACE


async def test_the_loop_delivers_when_it_is_rung(scene: Scene) -> None:
    """Nobody waits for a timer."""
    loop = asyncio.create_task(scene.deliveries.run())
    await asyncio.sleep(0.01)
    await scene.predict("start", "completed")
    await scene.run()
    async with asyncio.timeout(10):
        while len(scene.target.calls) < 2:
            await scene.target.called.wait()
            scene.target.called.clear()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert [event for event, _ in scene.target.told] == ["start", "completed"]


async def test_every_try_is_noted(scene: Scene) -> None:
    """With its answer or why there was none, newest first; after a week it is forgotten."""
    scene.target.answers = [500, 0, 200]
    prediction = await scene.predict("completed")
    await scene.run()
    for _ in range(3):
        await scene.deliveries.deliver()
        scene.clock.moment += timedelta(hours=1)
    log = scene.deliveries.log
    page = await log.deliveries(scene.account_id, Window(limit=2))
    assert [(each.attempt, each.status, each.problem) for each in page.items] == [
        (3, 200, None),
        (2, None, "broken"),
    ]
    rest = await log.deliveries(scene.account_id, Window(limit=2, key=page.next), prediction_id=prediction.id)
    assert [(each.attempt, each.status) for each in rest.items] == [(1, 500)]
    assert {each.message_id for each in (*page.items, *rest.items)} == {
        headers["webhook-id"] for _, _, headers in scene.target.calls
    }
    assert (await log.deliveries(scene.account_id + 1, Window(limit=9))).items == ()
    assert (await log.deliveries(scene.account_id, Window(limit=9), prediction_id="x")).items == ()
    scene.clock.moment += timedelta(days=7, hours=-2)
    assert await scene.deliveries.prune() == 1
    assert len((await log.deliveries(scene.account_id, Window(limit=9))).items) == 2


async def test_an_event_is_told_once_more_with_its_id(scene: Scene) -> None:
    """The receiver knows it by its `webhook-id`; while it waits to be told it is not put in twice."""
    prediction = await scene.predict("completed")
    await scene.run()
    await scene.deliveries.deliver()
    (told,) = (await scene.deliveries.log.deliveries(scene.account_id, Window(limit=9))).items
    letter = Letter(
        rank=0,
        message_id=told.message_id,
        prediction_id=prediction.id,
        event="completed",
        attempts=0,
        due_at=scene.clock(),
    )
    assert await scene.deliveries.log.again(letter)
    assert not await scene.deliveries.log.again(letter)
    await scene.deliveries.deliver()
    first, second = scene.target.calls
    assert first[2]["webhook-id"] == second[2]["webhook-id"]
    assert first[1] == second[1]


async def test_a_rotated_secret_signs_beside_the_one_before_for_a_day(scene: Scene) -> None:
    """A receiver that knows either accepts the call; after a day only the new one signs."""
    accounts = scene.deliveries.accounts
    account = await accounts.by_id(scene.account_id)
    assert account is not None
    before = await accounts.webhook_secret(account.id)
    after = await accounts.rotate_webhook_secret(account)
    await scene.predict("completed")
    await scene.run()
    await scene.deliveries.deliver()
    _, body, headers = scene.target.calls[0]
    timestamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"].split(" ") == [
        signature(secret, headers["webhook-id"], timestamp, body) for secret in (after, before)
    ]
    scene.clock.moment += timedelta(days=1)
    assert await accounts.signing_secrets(account.id) == (after,)


async def test_every_endpoint_that_wants_it_is_told(scene: Scene) -> None:
    """Beside the prediction's own webhook, each with what it chose, signed by its own secret alone."""
    first = await scene.listen(events=["start", "completed"])
    second = await scene.listen(url="https://ends.test/b", model="ann/hello")
    await scene.listen(url="https://ends.test/elsewhere", model="ann/other")
    await scene.listen(url="https://ends.test/off", enabled=False)
    await scene.predict("completed")
    await scene.run()
    await scene.exhaust()
    told = [(url, headers["webhook-id"].rpartition("-")[2]) for url, _, headers in scene.target.calls]
    assert sorted(told) == [
        ("https://ends.test/a", "completed"),
        ("https://ends.test/a", "start"),
        ("https://ends.test/b", "completed"),
        (HOOK, "completed"),
    ]
    assert [event for url, event in told if url == first.url] == ["start", "completed"]
    assert len({headers["webhook-id"] for _, _, headers in scene.target.calls}) == 4
    own = await scene.deliveries.accounts.webhook_secret(scene.account_id)
    secrets = {first.url: first.secret, second.url: second.secret, HOOK: own}
    assert len(set(secrets.values())) == 3
    for url, body, headers in scene.target.calls:
        expected = signature(secrets[url], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == expected


async def test_endpoints_hear_of_predictions_without_a_webhook(scene: Scene) -> None:
    """Also of what is streamed, as things are then; an endpoint made meanwhile hears the rest."""
    await scene.listen(events=["output"])
    await scene.predict(webhook=None)
    await scene.run("a", "b")
    late = await scene.listen(url="https://ends.test/late")
    await scene.predict(webhook=None)
    await scene.run()
    await scene.exhaust()
    outputs = [json.loads(body)["output"] for url, body, _ in scene.target.calls if url.endswith("/a")]
    assert outputs == [["a"], ["a", "b"]]
    assert [url for url, _, _ in scene.target.calls if url == late.url] == [late.url]


async def test_others_do_not_wait_for_an_endpoint_that_is_down(scene: Scene) -> None:
    """What it is owed waits in its own order, and is tried again as webhooks are."""
    down = await scene.listen(events=["start", "completed"])
    scene.target.broken = {down.url}
    await scene.predict("start", "completed")
    await scene.run()
    await scene.exhaust()
    told = [url for url, _, _ in scene.target.calls]
    # Its start is given up at once, as every start is; its end is tried again.
    assert told.count(HOOK) == 2
    assert told.count(down.url) == 2
    scene.target.broken = set()
    scene.clock.moment += timedelta(seconds=10)
    assert await scene.deliveries.deliver() == 1
    tries = await scene.deliveries.log.deliveries(scene.account_id, Window(limit=9), endpoint=down.id)
    assert [(each.event, each.status) for each in tries.items] == [
        ("completed", 200),
        ("completed", 503),
        ("start", 503),
    ]
    own = await scene.deliveries.log.deliveries(scene.account_id, Window(limit=9), endpoint="")
    assert {each.endpoint for each in own.items} == {""}
    assert len(own.items) == 2


async def test_an_endpoint_that_fails_for_days_is_told_no_more(scene: Scene) -> None:
    """It says since when and why; what was owed is dropped; enabled again it hears what happens from then on."""
    down = await scene.listen()
    scene.target.broken = {down.url}
    hours = 0
    while (found := await scene.endpoints.get(scene.account, down.id)).enabled:
        assert hours < 24 * 5
        if hours % 6 == 0:
            await scene.predict(webhook=None)
            await scene.run()
        await scene.exhaust()
        scene.clock.moment += timedelta(hours=1)
        hours += 1
    assert hours > 24 * 3
    assert (
        found.disabled_reason
        == "Nothing could be told to it since 2026-01-01 00:00 UTC; last, it answered 503."
    )
    scene.target.broken = set()
    scene.target.calls.clear()
    await scene.predict(webhook=None)
    await scene.run()
    scene.clock.moment += timedelta(hours=4)
    await scene.exhaust()
    assert scene.target.calls == []
    assert await scene.deliveries.outbox.next_due() is None
    again = await scene.endpoints.update(scene.account, down.id, Wanted(enabled=True))
    assert (again.disabled_reason, again.failing_since) == (None, None)
    await scene.predict(webhook=None)
    await scene.run()
    await scene.exhaust()
    assert [url for url, _, _ in scene.target.calls] == [down.url]


async def test_one_good_answer_ends_a_row_of_failures(scene: Scene) -> None:
    """Three days are counted from the first failure after it."""
    flaky = await scene.listen()
    for _ in range(10):
        scene.target.broken = {flaky.url}
        await scene.predict(webhook=None)
        await scene.run()
        await scene.deliveries.deliver()
        assert (await scene.endpoints.get(scene.account, flaky.id)).failing_since == scene.clock()
        scene.target.broken = set()
        scene.clock.moment += timedelta(days=1)
        await scene.exhaust()
        found = await scene.endpoints.get(scene.account, flaky.id)
        assert (found.enabled, found.failing_since) == (True, None)


async def test_an_endpoints_rotated_secret_signs_beside_the_one_before_for_a_day(scene: Scene) -> None:
    """A receiver that knows either accepts the call; after a day only the new one signs."""
    before = await scene.listen()
    after = await scene.endpoints.rotate(scene.account, before.id)
    assert after.secret != before.secret
    await scene.predict(webhook=None)
    await scene.run()
    await scene.exhaust()
    ((_, body, headers),) = scene.target.calls
    timestamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"].split(" ") == [
        signature(secret, headers["webhook-id"], timestamp, body) for secret in (after.secret, before.secret)
    ]
    scene.clock.moment += timedelta(days=1)
    assert scene.endpoints.secrets(after) == (after.secret,)


async def test_a_deleted_endpoint_is_owed_nothing(scene: Scene) -> None:
    """Its letters go with it; others' stay."""
    gone = await scene.listen()
    await scene.predict("completed")
    await scene.run()
    await scene.endpoints.delete(scene.account, gone.id)
    await scene.exhaust()
    assert [url for url, _, _ in scene.target.calls] == [HOOK]


async def test_who_listens_is_known_again_after_a_restart(scene: Scene) -> None:
    """What is at hand is read from the store."""
    kept = await scene.listen()
    fresh = Endpoints(store=scene.endpoints.store, world=scene.endpoints.world)
    assert fresh.audience() == {}
    await fresh.load()
    assert [each.id for each in fresh.audience()[scene.account_id]] == [kept.id]


async def test_an_endpoint_is_where_a_webhook_may_be(scene: Scene) -> None:
    """Private and unencrypted addresses are refused when it is made and when it is moved."""
    kept = await scene.listen()
    for url in ("http://ends.test/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/"):
        with pytest.raises(InvalidError):
            await scene.listen(url=url)
        with pytest.raises(InvalidError):
            await scene.endpoints.update(scene.account, kept.id, Wanted(url=url))
    assert await scene.endpoints.list(scene.account) == (kept,)


async def test_what_waits_is_known_to_whoever_is_told(scene: Scene) -> None:
    """Each letter with its failures and its next try, the soonest first; of one prediction or all; not another's."""
    endpoint = await scene.listen(events=["completed"])
    first = await scene.predict("start", "completed")
    await scene.run()
    scene.target.broken |= {HOOK, endpoint.url}
    await scene.deliveries.deliver()
    waits = await scene.letters.waiting(scene.account_id, 9)
    assert {(each.endpoint, each.event) for each in waits} == {("", "completed"), (endpoint.id, "completed")}
    await scene.exhaust()
    waits = await scene.letters.waiting(scene.account_id, 9, prediction_id=first.id)
    assert [each.attempts for each in waits] == [1, 1]
    assert [each.due_at for each in waits] == [scene.clock() + timedelta(seconds=10)] * 2
    assert len(await scene.letters.waiting(scene.account_id, 1)) == 1
    assert await scene.letters.waiting(scene.account_id, 9, prediction_id="0" * 26) == ()
    assert await scene.letters.waiting(scene.account_id + 1, 9) == ()


async def test_what_is_told_too_late_forgets_no_other_letter(scene: Scene) -> None:
    """An endpoint is deleted while it is called; what waits in its letter's place by then is told all the same."""
    gone = await scene.listen()
    await scene.predict(webhook=None)
    await scene.run()
    outbox = scene.deliveries.outbox
    (flying,) = await outbox.due(scene.clock(), 10)
    await scene.endpoints.delete(scene.account, gone.id)
    await scene.listen(url="https://ends.test/b")
    await scene.predict(webhook=None)
    await scene.run()
    await outbox.later(flying, 1, scene.clock() + timedelta(hours=1))
    await outbox.told(flying)
    await scene.exhaust()
    assert [url for url, _, _ in scene.target.calls] == ["https://ends.test/b"]


async def test_a_call_that_breaks_is_tried_again_as_one_that_failed(scene: Scene) -> None:
    """Whatever goes wrong with an address, it is not called again before its time."""
    await scene.predict("completed")
    await scene.run()
    scene.target.answers = [-1]
    await scene.deliveries.deliver()
    assert await scene.deliveries.deliver() == 0
    assert await scene.deliveries.outbox.next_due() == scene.clock() + timedelta(seconds=10)
    scene.clock.moment += timedelta(seconds=10)
    await scene.exhaust()
    assert len(scene.target.calls) == 2


async def test_nobody_is_called_over_and_over_when_tries_cannot_be_noted(scene: Scene) -> None:
    """With a full disk the same event would reach its receiver as fast as the network lets it."""
    looks = asyncio.Queue[None]()

    class Full(type(scene.deliveries.log)):  # type: ignore[misc] # the one or the other
        async def note(self, delivery: object) -> None:
            raise OSError("no space left on device")

    class Watched(type(scene.deliveries.outbox)):  # type: ignore[misc]
        async def due(self, *args: Any, **more: Any) -> tuple[Letter, ...]:
            looks.put_nowait(None)
            found: tuple[Letter, ...] = await super().due(*args, **more)
            return found

    await scene.predict("completed")
    await scene.run()
    full, watched = Full(**vars_of(scene.deliveries.log)), Watched(**vars_of(scene.deliveries.outbox))
    deliveries = replace(scene.deliveries, log=full, outbox=watched, pause=3600)
    running = asyncio.create_task(deliveries.run())
    try:
        async with asyncio.timeout(20):
            await scene.target.called.wait()
            for _ in range(5):
                deliveries.ring()
                await looks.get()
    finally:
        running.cancel()
    assert len(scene.target.calls) == 1


def vars_of(value: Any) -> dict[str, Any]:
    """Return what a dataclass was made with."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


async def test_a_clock_set_back_holds_up_no_webhook(scene: Scene) -> None:
    """What was due is due, and what waits to be tried again waits no longer than it would have."""
    outbox = scene.deliveries.outbox
    await scene.predict("completed")
    await scene.run()
    scene.target.answers = [500]
    await scene.deliveries.deliver()
    await scene.predict("completed")
    await scene.run()
    scene.clock.moment -= timedelta(days=30)
    assert await outbox.due(scene.clock(), 9) == ()
    waits = (timedelta(0), timedelta(seconds=10))
    assert await outbox.hurry(scene.clock(), waits) == 2
    assert await outbox.hurry(scene.clock(), waits) == 0
    assert await scene.deliveries.deliver() == 1
    scene.clock.moment += timedelta(seconds=10)
    assert await scene.deliveries.deliver() == 1
    assert len(scene.target.calls) == 3


async def test_the_loop_notices_a_clock_set_back(scene: Scene) -> None:
    """It tells what it owes without waiting for the clock to come as far again, also when it has just begun."""
    await scene.predict("completed")
    await scene.run()
    scene.clock.moment -= timedelta(days=30)
    loop = asyncio.create_task(scene.deliveries.run())
    async with asyncio.timeout(20):
        await scene.target.called.wait()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert [event for event, _ in scene.target.told] == ["completed"]


async def test_an_account_whose_targets_never_answer_holds_up_no_other(scene: Scene) -> None:
    """However many events wait for them: others find room, and theirs wait for one another."""
    scene.target.stuck.add(HOOK)
    for _ in range(AT_ONCE * 3):
        await scene.predict("completed")
        await scene.run()
    new = NewAccount(
        username="bob", name="Bob", type="user", is_admin=False, password_hash=None, created_at=scene.clock()
    )
    bob = await scene.deliveries.accounts.store.add(new)
    running = asyncio.create_task(scene.deliveries.run())
    try:
        async with asyncio.timeout(20):
            while len(scene.target.calls) < AT_ONCE // 2:
                await scene.target.called.wait()
                scene.target.called.clear()
            scene.account_id = bob.id
            await scene.predict("completed", webhook="https://bob.test/")
            await scene.run()
            scene.deliveries.ring()
            while scene.target.calls[-1][0] != "https://bob.test/":
                await scene.target.called.wait()
                scene.target.called.clear()
    finally:
        running.cancel()
    assert len(scene.target.calls) == AT_ONCE // 2 + 1
