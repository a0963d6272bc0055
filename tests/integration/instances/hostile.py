"""A model that does whatever its caller says, live in a sandbox: how tests look around inside of one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.events import CompletedEvent
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.runtime import Running, Runtime
from cogyard.instances.server import HttpModelServer, Run
from cogyard.testing.images import TestImage

HOSTILE = """
import ctypes, json, os, signal, socket, subprocess, sys, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, code: str) -> str:
        names = dict(globals(), found=None)
        exec(code, names)
        return json.dumps(names["found"])
"""
#: What it gets, where it would take more.
SMALL = replace(InstanceLimits(), memory=300 << 20, processes=80, scratch=32 << 20)


class Live:
    """One instance, and what its predictions come to."""

    def __init__(self, server: HttpModelServer) -> None:
        self.server = server
        self.count = 0

    async def end(self, inputs: dict[str, Any], **more: Any) -> CompletedEvent:
        """Run a prediction and return its end."""
        self.count += 1
        events = [e async for e in self.server.predict(Run(id=f"p{self.count}", input=inputs, **more))]
        assert isinstance(events[-1], CompletedEvent)
        return events[-1]

    async def found(self, code: str) -> Any:
        """Return what code sets `found` to."""
        end = await self.end({"code": code})
        assert end.status == "succeeded", end.error
        return json.loads(end.output)


@asynccontextmanager
async def live_instance(
    runtime: Runtime, image: TestImage, name: str = "one", grant: Grant = UNCOUNTED
) -> AsyncIterator[Live]:
    """Start an instance, wait until it is ready, end it in the end."""
    prepared = await runtime.prepare(image.version)
    running = await prepared.start(name, grant)
    server = HttpModelServer(running.address)
    try:
        await until_ready(server, running)
        yield Live(server)
    finally:
        await server.aclose()
        await running.stop(grace=0)


async def until_ready(server: HttpModelServer, running: Running) -> None:
    """Wait for the end of setup; an instance that dies or fails is told with what it printed."""
    death = asyncio.create_task(running.wait())
    try:
        async with asyncio.timeout(90):
            while (health := await server.health()) is None or not health.ready:
                assert not death.done(), running.logs()
                assert health is None or not health.broken, running.logs()
                await asyncio.wait([death], timeout=0.02)
    finally:
        death.cancel()
