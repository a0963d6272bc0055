"""Watching a prediction by server-sent events, and what instances send back: addresses that are their own key."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cogyard.domain.fileref import SCHEME
from cogyard.domain.ids import is_capability
from cogyard.domain.stream import StreamEvent
from cogyard.features.files.service import ref
from cogyard.features.page import services_of
from cogyard.http import sse
from cogyard.http.addresses import Addresses
from cogyard.http.endpoints import Access, Endpoint
from cogyard.http.errors import NotFoundError

# Proxies close what is silent for half a minute or a minute.
HEARTBEAT_SECONDS = 15


async def watch(request: Request) -> Response:
    """Stream a prediction's events, from the start or after `Last-Event-ID`."""
    last = request.headers.get("last-event-id", "").strip()
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    # Whether there is a prediction must be known before the headers are sent.
    await services_of(request).predictions.find_stream(request.path_params["token"])
    events = services_of(request).predictions.events(
        request.path_params["token"], after, beat=HEARTBEAT_SECONDS
    )
    return StreamingResponse(
        _frames(events, Addresses.of(request)),
        media_type=None,
        headers={
            "Content-Type": sse.CONTENT_TYPE,
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def _frames(
    batches: AsyncGenerator[Sequence[StreamEvent]], addresses: Addresses
) -> AsyncIterator[bytes]:
    yield b": hi\n\n"
    # Closed at once, not when the collector comes by: until then the watcher would count.
    async with aclosing(batches):
        async for events in batches:
            frames = [sse.encode(event.name, _shown(event, addresses), event.id) for event in events]
            yield b"".join(frames) or sse.COMMENT


def _shown(event: StreamEvent, addresses: Addresses) -> str:
    if event.name != "output" or SCHEME not in event.data:
        return event.data
    if not event.item.is_json:
        return str(addresses.show(event.data))
    return json.dumps(addresses.show(json.loads(event.data)), ensure_ascii=False, separators=(",", ":"))


async def keep_output(request: Request) -> Response:
    """Keep a file that a model made, sent by whoever holds the prediction's lease; `Location` is its reference."""
    services, token = services_of(request), request.path_params["lease"]
    prediction = await services.predictions.queue.holder(token) if is_capability(token) else None
    if prediction is None:
        raise NotFoundError
    file = await services.files.create(
        prediction.account_id,
        request.path_params["name"],
        request.headers.get("content-type"),
        request.stream(),
        prediction_id=prediction.id,
    )
    return Response(status_code=201, headers={"Location": str(ref(file))})


API_ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/streams/{token}",
        handler=watch,
        access=Access.CAPABILITY,
        operation="streams.get",
    ),
    Endpoint(
        method="GET",
        path="/files/{token}/stream",
        handler=watch,
        access=Access.CAPABILITY,
        operation="streams.files.get",
    ),
)
INTERNAL_ENDPOINTS = (
    Endpoint(
        method="PUT",
        path="/internal/outputs/{lease}/{name}",
        handler=keep_output,
        access=Access.CAPABILITY,
        operation="internal.outputs.put",
    ),
)
