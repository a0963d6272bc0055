"""A model that does whatever its caller says, live in a sandbox: how tests look around inside of one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cogyard.domain.capacity import UNCOUNTED, Grant
from cogyard.instances.events import CompletedEvent
from cogyard.instances.runtime import Runtime
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
        await _ready(server, running)
        yield Live(server)
    finally:
        await server.aclose()
        await running.stop(grace=0)


async def _ready(server: HttpModelServer, running: Any) -> None:
    async with asyncio.timeout(60):
        while (health := await server.health()) is None or not health.ready:
            await asyncio.sleep(0.02)
            assert health is None or not health.broken, running.logs()
