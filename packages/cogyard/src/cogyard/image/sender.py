"""A push's way to its registry, on a thread of its own: it is asked whether we may while the build is got ready.

Theory of operation: the commands build on the main thread, and the registry's client is asynchronous. One loop runs on
a thread for the length of a push, and one client with it: while the registry is asked, whether we may and then what it
has under the name, the main thread imports what builds and reads the project, and the connections and the token that
the questions took serve the push as well.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from cogyard.image.push import PushedImage, Watcher, check, push
from cogyard.oci.client import RegistryClient
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.oci.settings import connect
from cogyard.oci.transfer import listed

T = TypeVar("T")

#: What a question left behind at the registry is worth waiting for at the end; it expires by itself.
_TIDY_SECONDS = 2.0


class Sender:
    """The way to the registry of `target`; use as a context manager, which asks at once whether we may push."""

    def __init__(self, target: Reference, connecting: Callable[[], RegistryClient] | None = None) -> None:
        """`connecting` makes the client; without it, the kept credentials and settings are used."""
        self._target = target
        self._connecting = connecting or (lambda: connect(target.host, os.environ))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sender", daemon=True)
        self._client: RegistryClient | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._there: asyncio.Task[frozenset[str]] | None = None
        self._asked: Future[None]

    def __enter__(self) -> Self:
        self._thread.start()
        self._asked = self._begin(self._ask())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._begin(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def allowed(self) -> None:
        """Return when the registry has said that we may push. Raises RegistryError when it has refused."""
        self._asked.result()

    def send(self, store: ImageStore, reference: Reference, watcher: Watcher | None = None) -> PushedImage:
        """Send an image of the store, when the registry has said that we may. Raises as `push`."""
        self.allowed()
        return self._begin(self._push(store, reference, watcher)).result()

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _ask(self) -> None:
        self._client = self._connecting()
        tidy = await check(self._client, self._target)
        self._there = asyncio.create_task(listed(self._client, self._target))
        self._tidying = asyncio.create_task(tidy())

    async def _push(self, store: ImageStore, reference: Reference, watcher: Watcher | None) -> PushedImage:
        assert self._client is not None  # noqa: S101 - asked before
        return await push(
            store, reference, self._target, client=self._client, watcher=watcher, there=self._there
        )

    async def _end(self) -> None:
        """End what is under way (somebody pressed Ctrl-C, or the build failed), then the connections."""
        if self._tidying is not None:
            await asyncio.wait([self._tidying], timeout=_TIDY_SECONDS)
        others: set[asyncio.Task[Any]] = asyncio.all_tasks() - {asyncio.current_task()}
        if self._there is not None:
            others.add(self._there)  # it may have failed, and then nobody has heard of it
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
