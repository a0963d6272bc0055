"""The connections of a client: one pool for blocking calls, one for each event loop, none shared across a fork."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import httpx2

from replicate import _foreign


class Connections:
    """Open pools when they are first needed; `options` are httpx2's, or httpx's."""

    def __init__(self, transport: Any, async_transport: Any, options: Mapping[str, Any]) -> None:
        """Keep the settings; nothing is opened yet."""
        self._transport, self._async_transport = transport, async_transport
        self._options = {"follow_redirects": True, **_foreign.options(options)}
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._blocking: httpx2.Client | None = None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()

    def blocking(self) -> httpx2.Client:
        """Return the pool of blocking calls."""
        with self._lock:
            self._after_fork()
            if self._blocking is None:
                transport = _foreign.transport(self._transport)
                self._blocking = httpx2.Client(transport=transport, **self._options)
            return self._blocking

    def asynchronous(self) -> httpx2.AsyncClient:
        """Return the running event loop's pool: connections belong to the loop that opened them."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._after_fork()
            if loop not in self._loops:
                transport = _foreign.async_transport(self._async_transport)
                self._loops[loop] = httpx2.AsyncClient(transport=transport, **self._options)
            return self._loops[loop]

    def _after_fork(self) -> None:
        # Sockets that parent and child both hold would mix their answers; the parent's are left to it.
        if self._process != os.getpid():
            self._forget()

    def close(self) -> None:
        """Close the pool of blocking calls."""
        with self._lock:
            self._after_fork()
            pool, self._blocking = self._blocking, None
        if pool is not None:
            pool.close()

    async def aclose(self) -> None:
        """Close the running event loop's pool."""
        with self._lock:
            self._after_fork()
            pool = self._loops.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
