"""Endpoints are told of what they chose, beside predictions' own webhooks, and hold nobody up; over both stores."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.webhooks import signature
from cogyard.features.webhooks.endpoints import Endpoints, Wanted
from cogyard.http.errors import InvalidError

from tests.contract.features.calls import HOOK, Scene, scene

__all__ = ["scene"]
pytestmark = pytest.mark.anyio


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
