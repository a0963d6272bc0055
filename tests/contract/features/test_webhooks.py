"""Webhooks are told in order, at least once, signed, and again when the other side fails; over both stores."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.webhooks import signature
from cogyard.features.accounts.ports import NewAccount
from cogyard.features.webhooks.ports import Letter
from cogyard.features.webhooks.service import AT_ONCE
from cogyard.instances.work import Outcome

from tests.contract.features.calls import HOOK, TRACE, VERSION, Scene, scene

__all__ = ["scene"]
pytestmark = pytest.mark.anyio


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


async def test_the_end_is_said_by_its_own_event_alone(scene: Scene) -> None:
    """Whoever acts on `succeeded` is not told it by an earlier event that is delivered after the end."""
    prediction = await scene.predict("start", "completed")
    claim = await scene.queue.claim(VERSION, instance="i")
    assert claim is not None
    outcome = Outcome(status="succeeded", output=["a"], metrics={"predict_time": 1.0})
    await scene.queue.finished(prediction.id, claim.lease_token, outcome)
    while await scene.deliveries.deliver():
        pass
    bodies = [json.loads(body) for _, body, _ in scene.target.calls]
    assert [(body["status"], body["output"]) for body in bodies] == [
        ("processing", None),
        ("succeeded", ["a"]),
    ]
    assert [bool(body.get("completed_at")) for body in bodies] == [False, True]
    assert [bool(body.get("started_at")) for body in bodies] == [True, True]


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
