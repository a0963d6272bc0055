"""Instances and deliveries through the client, against scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tests.unit.client.test_client import VERSION, Script, client_of

T = TypeVar("T")
_FARED = {
    "purpose": "predictions",
    "version": VERSION,
    "trouble": None,
    "living": [{"instance": "i-1", "state": "ready", "setup_logs": "warm"}],
    "ended": [],
}


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def test_instances_of_a_model_and_of_a_deployment() -> None:
    """Of the latest version or a named one, sync and async alike."""
    script = Script(
        get_models_me_it_instances={"results": [_FARED]},
        get_deployments_me_front_instances={"results": [_FARED]},
    )
    client = client_of(script)
    (found,) = client.models.instances("me/it", VERSION)
    assert (found.purpose, found.trouble, found.living[0]["setup_logs"]) == ("predictions", None, "warm")
    assert script.requests[0].url.params["version"] == VERSION
    assert asyncio.run(_awaited(client.models.async_instances("me/it"))) == [found]
    assert client.deployments.instances("me/front") == [found]


def test_deliveries_that_were_tried_and_that_wait() -> None:
    """Each is an object of its own kind; what is not said is not sent."""
    tried = {"id": "msg_1", "prediction": "p1", "event": "completed", "attempt": 2, "status": 503}
    waits = {"id": "msg_1", "prediction": "p1", "event": "completed", "attempts": 2, "due_at": "later"}
    script = Script(
        get_webhooks_deliveries={"next": None, "previous": None, "results": [tried]},
        get_webhooks_deliveries_pending={"next": None, "previous": None, "results": [waits]},
    )
    deliveries = client_of(script).webhooks.deliveries
    assert [(one.attempt, one.status) for one in deliveries.list(prediction="p1")] == [(2, 503)]
    assert [(one.attempts, one.due_at) for one in deliveries.pending()] == [(2, "later")]
    assert asyncio.run(_awaited(deliveries.async_pending(prediction="p1")))[0].id == "msg_1"
    assert [str(request.url.query, "ascii") for request in script.requests] == [
        "prediction=p1",
        "",
        "prediction=p1",
    ]
