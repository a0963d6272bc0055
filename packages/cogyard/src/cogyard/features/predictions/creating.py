"""Answering a create, whatever it was asked of: a version, a model or a deployment."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.values import Prediction, Status
from cogyard.features.page import services_of
from cogyard.features.predictions.asking import Asking
from cogyard.features.predictions.inline import inlined
from cogyard.features.predictions.wire import prediction_json
from cogyard.http.addresses import Addresses
from cogyard.http.caller import caller_of
from cogyard.http.endpoints import reply
from cogyard.http.errors import BadRequestError
from cogyard.http.headers import header
from cogyard.http.preferences import Wait, cancel_after, urgency, wait_preference
from cogyard.http.traces import trace_of

# Clients that know the status "aborted": the second generation, and ours.
_KNOW_ABORTED = ("Replicate/", "cogyard")


KEY_LIMIT = 255


class Wish(msgspec.Struct, kw_only=True):
    """What the body of every create says. What clients send beside it (`stream`, and more) is let pass (gotcha 13)."""

    input: dict[str, Any]
    webhook: str | None = None
    webhook_completed: str | None = None
    webhook_events_filter: list[str] | None = None


class Asked(Wish, kw_only=True):
    """The body of a create of a prediction."""

    version: str | None = None


#: Makes the prediction; takes `input` and what else `Predictions.create` takes, by name.
Create = Callable[..., Awaitable[Prediction]]


async def created(request: Request, asked: Asked, create: Create) -> Response:
    """Ask for a prediction by `create`, and answer at once or, when the client prefers, with its end."""
    wait = wait_preference(header(request, b"prefer"))
    ask = partial(create, **wished(request, asked))
    if wait is not None:
        return await _waited(request, ask, wait)
    prediction = await ask()
    answer = shaped(request, prediction)
    return reply(answer, 201, Location=answer["urls"]["get"])


def wished(request: Request, body: Wish) -> dict[str, Any]:
    """Return what every create takes, by name, as its body and headers say. Raises BadRequestError, InvalidError."""
    events = body.webhook_events_filter
    if events is None and not body.webhook and body.webhook_completed:
        events = ["completed"]
    return {
        "input": body.input,
        "webhook": body.webhook or body.webhook_completed,
        "webhook_events": events,
        "source": "web" if caller_of(request).via == "session" else "api",
        "origin": Addresses.of(request).base,
        "cancel_after": cancel_after(header(request, b"cancel-after")),
        "urgency": urgency(header(request, b"cogyard-priority")),
        "once": asking(request, body),
        "trace": trace_of(request),
    }


def asking(request: Request, body: msgspec.Struct) -> Asking | None:
    """Read the Idempotency-Key of a create; None when there is none. Raises BadRequestError."""
    key = header(request, b"idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LIMIT or not key.isprintable():
        raise BadRequestError(f"Idempotency-Key must have 1 to {KEY_LIMIT} printable characters.")
    said = msgspec.json.encode([request.method, request.url.path, body], order="deterministic")
    return Asking(key=key, fingerprint=hashlib.sha256(said).digest())


async def _waited(request: Request, ask: Create, wait: Wait) -> Response:
    services = services_of(request)
    with services.predictions.watching() as watch:
        prediction = await ask(watch=watch)
        found = await services.predictions.wait(prediction.id, wait.seconds, watch)
    if found.status.terminal:
        found = replace(found, output=await inlined(found.output, services.files))
    else:
        # Clients take any word but "starting" for the end (wire gotcha 2).
        found = replace(found, status=Status.STARTING, output=None)
    answer = shaped(request, found)
    status = 201 if found.status.terminal else 202
    return reply(answer, status, Location=answer["urls"]["get"], Preference_Applied=wait.applied)


def shaped(request: Request, prediction: Prediction) -> dict[str, Any]:
    """Shape a prediction for the client that asks."""
    return prediction_json(
        prediction,
        Addresses.of(request),
        knows_aborted=(header(request, b"user-agent") or "").startswith(_KNOW_ABORTED),
    )
