"""Make pushed versions ready before anybody asks for them: layers unpacked, environments made, Docker given images."""

from __future__ import annotations

import asyncio
import logging

from cogyard.errors import CogyardError
from cogyard.instances.runtime import Runtime

_log = logging.getLogger("cogyard.platform")

#: Versions in line; of more, the newest are left to the first prediction.
_LINE = 100


class Prefetch:
    """One version after another: it is work for the processor, and predictions come first."""

    def __init__(self) -> None:
        self._line: asyncio.Queue[str] = asyncio.Queue(_LINE)

    def ask(self, version: str) -> None:
        """Take a version into the line; a full line forgets it, which costs its first prediction some time."""
        try:
            self._line.put_nowait(version)
        except asyncio.QueueFull:
            _log.info("prefetch_left_out", extra={"version": version})

    async def run(self, runtime: Runtime) -> None:
        """Prepare until cancelled. What can't be prepared says so when it is asked for."""
        while True:
            version = await self._line.get()
            try:
                await runtime.prepare(version)
            except CogyardError as error:
                _log.info("prefetch_failed", extra={"version": version, "reason": error.message})
            else:
                _log.info("version_prefetched", extra={"version": version})
