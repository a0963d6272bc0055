"""Webhooks of one prediction: which events are told, when, and in which order.

Each request carries the whole prediction as it is then, so what is not sent yet is covered by what is sent next: at
most one event waits, whatever the model emits. Events of a prediction leave one after another; `completed` is the
last, and the most patiently retried.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cog_server.ids import make_id
from cog_server.signing import key_of, signed_headers
from cog_server.threads import in_thread

if TYPE_CHECKING:
    from cog_server.http_client import httpx

log = logging.getLogger("cog_server")

EVENTS = ("start", "output", "logs", "completed")
INTERVAL = 0.5
"""Seconds between two requests about outputs and logs."""
ATTEMPTS = 2
COMPLETED_ATTEMPTS = 12
TIMEOUT = 10.0
LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 425, 429})
_NONE: Mapping[str, str] = MappingProxyType({})


def retry_delay(attempt: int) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 0)."""
    return float(min(LONGEST_WAIT, 0.1 * 2**attempt))


def may_retry(status: int) -> bool:
    """Say whether an answer's status can change by asking again."""
    return status >= 500 or status in _AGAIN


class WebhookClient:
    """The HTTP side; one for a server. The HTTP library is loaded at the first webhook."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.interval = interval
        secret = os.environ.get("COG_WEBHOOK_SECRET")
        self._key = key_of(secret) if secret else None
        self._client: httpx.AsyncClient | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.counts = {"delivered": 0, "refused": 0, "given_up": 0}

    async def post(self, url: str, body: bytes, id: str, headers: Mapping[str, str] = _NONE) -> int | None:
        """Send one request; return its status, or None when nobody answered. `id` names the message over all tries."""
        if self._client is None:
            # A third of a second in which predictions go on, so not on the loop.
            await in_thread(importlib.import_module, "cog_server.http_client")
        from cog_server.http_client import httpx

        if self._client is None:
            always = {"Content-Type": "application/json", "User-Agent": "cog-server"}
            token = os.environ.get("WEBHOOK_AUTH_TOKEN")
            if token:
                always["Authorization"] = f"Bearer {token}"
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(TIMEOUT), headers=always)
        try:
            signed = {} if self._key is None else signed_headers(self._key, id, int(time.time()), body)
            response = await self._client.post(url, content=body, headers={**headers, **signed})
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return int(response.status_code)

    async def close(self, grace: float) -> None:
        """Let what is under way finish for `grace` seconds."""
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=grace)
        for task in self.tasks:
            task.cancel()
        if self._client is not None:
            await self._client.aclose()


class Webhook:
    """Tell one address about one prediction."""

    def __init__(
        self,
        client: WebhookClient,
        url: str,
        events: frozenset[str],
        body: Callable[[], bytes],
        headers: Mapping[str, str] = _NONE,
    ) -> None:
        self._client = client
        self._url = url
        self._events = events
        self._body = body
        self._headers = headers
        self._pending = False
        self._immediate = False
        self._ended = False
        self._last_sent = -1e9
        self._wake: asyncio.Event = asyncio.Event()
        self._running = False

    def notify(self, event: str) -> None:
        """Note that something happened; the request follows by itself."""
        if event == "completed":
            self._ended = True
            self._pending = "completed" in self._events
        elif event in self._events:
            self._pending = True
            self._immediate = self._immediate or event == "start"
        self._wake.set()
        if self._pending and not self._running:
            self._running = True
            task = asyncio.get_running_loop().create_task(self._run())
            self._client.tasks.add(task)
            task.add_done_callback(self._client.tasks.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                if not self._ended and not self._immediate:
                    await self._wait(self._last_sent + self._client.interval - loop.time())
                if self._nothing_to_tell():
                    return
                self._pending = self._immediate = False
                self._last_sent = loop.time()
                await self._send(last=self._ended)
        finally:
            self._running = False

    def _nothing_to_tell(self) -> bool:
        return not self._pending

    async def _send(self, *, last: bool) -> None:
        body = self._body()
        name = f"msg_{make_id()}"
        for attempt in range(COMPLETED_ATTEMPTS if last else ATTEMPTS):
            status = await self._client.post(self._url, body, name, self._headers)
            if status is not None and not may_retry(status):
                self._client.counts["delivered" if status < 400 else "refused"] += 1
                if status >= 400:
                    log.warning("webhook refused status=%s request=%s", status, self._request)
                return
            if self._ended and not last:
                return  # the completed event says it all
            await (asyncio.sleep if last else self._wait)(retry_delay(attempt))
        self._client.counts["given_up"] += 1
        tries = COMPLETED_ATTEMPTS if last else ATTEMPTS
        log.warning("webhook given up attempts=%s request=%s", tries, self._request)

    @property
    def _request(self) -> str:
        return self._headers.get("X-Request-Id", "-")

    async def _wait(self, seconds: float) -> None:
        """Sleep, or less when the prediction ends."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._ended:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except asyncio.TimeoutError:
                return
