"""A host with a queue and a model in memory, for tests of one instance."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Self

from cogyard.instances.errors import SetupFailedError
from cogyard.instances.events import CompletedEvent, ServerEvent
from cogyard.instances.host import Host, HostOptions
from cogyard.instances.run import RunOptions, Work
from cogyard.instances.server import Run
from cogyard.testing.handovers import FakeHandovers
from cogyard.testing.instances import Behaviour, FakeModel, FakeRuntime
from cogyard.testing.queue import VERSION, FakeQueue


class Stage:
    """A host, its queue and its model."""

    def __init__(
        self,
        model: FakeModel,
        *,
        lease: float = 30.0,
        spare: Callable[[], bool] = lambda: False,
        **options: float,
    ) -> None:
        self.queue = FakeQueue(lease=lease)
        self.handovers = FakeHandovers()
        self.handovers.begin()
        self.model = model
        self.runtime = FakeRuntime({VERSION: model})
        setup_timeout = options.pop("setup_timeout", 5.0)
        self.host = Host(
            instance="i1",
            deployable=VERSION,
            work=Work(
                source=self.queue,
                reports=self.queue,
                cancellations=self.queue,
                handovers=self.handovers,
            ),
            options=HostOptions(run=RunOptions(**options), setup_timeout=setup_timeout),
            connect=self.runtime.connect,
            spare=spare,
        )

    async def __aenter__(self) -> Self:
        prepared = await self.runtime.prepare(VERSION)
        self.life = asyncio.create_task(self.host.run(prepared))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.life.cancel()
        with suppress(asyncio.CancelledError, SetupFailedError):
            await self.life

    async def until_busy(self, busy: int = 1) -> None:
        """Return once so many predictions run."""
        await until(lambda: self.host.view().busy == busy)


async def until(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event, and needs none but here
            await asyncio.sleep(0.001)


def noting(names: list[str]) -> Behaviour:
    """Return what a model does that notes under which names it is asked, and succeeds."""

    async def note(run: Run) -> AsyncIterator[ServerEvent]:
        names.append(run.id)
        yield CompletedEvent(status="succeeded", output=1)

    return note
