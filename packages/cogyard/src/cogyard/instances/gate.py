"""What a model server without a network may ask of the platform: files of its inputs, and a place for its outputs.

Every path behind the gate holds a secret that only the prediction's own run was given, so a gate need not know who
asks. Nothing else of the platform is there.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from cog_server.errors import InputFetchError
from cog_server.names import name_from_url

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Addresses that are remembered; each prediction offers those of its input anew.
KEPT = 10_000
_CHUNK = 1 << 20
_OURS = (("GET", "/delivery/"), ("HEAD", "/delivery/"), ("PUT", "/internal/outputs/"))
_FETCH = "/fetch/"


class Fetches(Protocol):
    """Fetches what an input names, within the operator's rules."""

    async def fetch(self, url: str, folder: Path) -> Path:
        """Store what `url` names in `folder`; raise InputFetchError."""
        ...


class Offers:
    """Addresses elsewhere that inputs of predictions name, each behind a path that can't be guessed."""

    def __init__(self) -> None:
        self._urls: OrderedDict[str, str] = OrderedDict()

    def add(self, url: str) -> str:
        """Return the path under which the gate fetches this address."""
        token = secrets.token_urlsafe(24)
        self._urls[token] = url
        while len(self._urls) > KEPT:
            self._urls.popitem(last=False)
        return f"{_FETCH}{token}/{quote(name_from_url(url, None))}"

    def find(self, path: str) -> str | None:
        """Return the address behind a path."""
        return self._urls.get(path.removeprefix(_FETCH).partition("/")[0])


class Gate:
    """The application behind every gate."""

    def __init__(self, offers: Offers, fetches: Fetches, platform: App) -> None:
        self._offers = offers
        self._fetches = fetches
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if any(method == allowed and path.startswith(prefix) for allowed, prefix in _OURS):
            await self._platform(scope, receive, send)
            return
        url = self._offers.find(path) if method == "GET" and path.startswith(_FETCH) else None
        if url is None:
            await _say(send, 404, "There is nothing here for a model.")
            return
        with tempfile.TemporaryDirectory(prefix="cogyard-fetch-") as folder:
            try:
                file = await self._fetches.fetch(url, Path(folder))
            except InputFetchError as error:
                await _say(send, 424, str(error))
                return
            await _give(send, file)


async def _give(send: Send, file: Path) -> None:
    size = await asyncio.to_thread(os.path.getsize, file)
    # The name has the suffix of the type that the file came with.
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    headers = [(b"content-length", str(size).encode()), (b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    with await asyncio.to_thread(file.open, "rb") as content:
        while chunk := await asyncio.to_thread(content.read, _CHUNK):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _say(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
