"""The webhooks API: what was told, and telling it once more."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.features.page import services_of
from cogyard.features.webhooks.ports import Delivery, Letter
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.moments import written
from cogyard.http.pages import page, window

PER_PAGE = 100
BODY_LIMIT = 10_000


class Replay(msgspec.Struct):
    """The body of predictions.webhooks.replay."""

    event: str = "completed"
    endpoint: str | None = None


def _told_json(told: Delivery | Letter) -> dict[str, Any]:
    return {
        "id": told.message_id,
        "prediction": told.prediction_id,
        "endpoint": told.endpoint or None,
        "event": told.event,
    }


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """Shape a try; `id` is the `webhook-id` that its receiver saw."""
    return {
        **_told_json(delivery),
        "attempt": delivery.attempt,
        "created_at": written(delivery.at),
        "status": delivery.status,
        "error": delivery.problem,
        "milliseconds": delivery.milliseconds,
    }


async def listing(request: Request) -> Response:
    """List the tries to tell the caller's webhooks, newest first."""
    prediction, endpoint = (request.query_params.get(name) for name in ("prediction", "endpoint"))
    found = await services_of(request).calls.list(
        require_account(request),
        window(request, limit=PER_PAGE, key_types=(int,)),
        prediction_id=prediction,
        endpoint=endpoint,
    )
    shaped = page(
        request,
        found,
        delivery_json,
        path="/webhooks/deliveries",
        prediction=prediction,
        endpoint=endpoint,
    )
    return reply(shaped)


def letter_json(letter: Letter) -> dict[str, Any]:
    """Shape what is still to be told; `id` is the `webhook-id` that its receiver will see."""
    return {
        **_told_json(letter),
        "attempts": letter.attempts,
        "due_at": written(letter.due_at),
    }


async def pending(request: Request) -> Response:
    """List what is still to be told to the caller's webhooks, the soonest due first."""
    found = await services_of(request).calls.waiting(
        require_account(request), prediction_id=request.query_params.get("prediction")
    )
    return reply({"next": None, "previous": None, "results": [letter_json(one) for one in found]})


async def replay(request: Request) -> Response:
    """Tell an event of a prediction once more."""
    body = await read_json(request, Replay, limit=BODY_LIMIT, absent=Replay())
    letter = await services_of(request).calls.replay(
        require_account(request), request.path_params["id"], body.event, body.endpoint
    )
    return reply({"id": letter.message_id, "event": letter.event}, 202)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/webhooks/deliveries",
        handler=listing,
        access=Access.ACCOUNT,
        operation="webhooks.deliveries.list",
    ),
    Endpoint(
        method="GET",
        path="/webhooks/deliveries/pending",
        handler=pending,
        access=Access.ACCOUNT,
        operation="webhooks.deliveries.pending.list",
    ),
    Endpoint(
        method="POST",
        path="/predictions/{id}/webhooks/replay",
        handler=replay,
        access=Access.ACCOUNT,
        operation="predictions.webhooks.replay",
    ),
)
