"""Moments in which nothing is being prepared, so that what is unpacked and unused can go.

Theory of operation. An instance in the making looks for a layer, finds it, and mounts it a moment later; in between
nobody may take it away. So whoever removes asks for quiet: it is had only while nothing is being prepared, and what
wants to be prepared meanwhile waits, for as long as it takes to give some folders another name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cogyard.instances.runtime import Prepared, Progress, Runtime, silent


@dataclass
class Quiet:
    """Preparations go on beside each other, and not beside whoever has asked for quiet."""

    _preparing: int = 0
    _still: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def preparing(self) -> AsyncIterator[None]:
        """Let something be prepared, as soon as nobody has quiet."""
        async with self._still:
            self._preparing += 1
        try:
            yield
        finally:
            self._preparing -= 1

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[bool]:
        """Have quiet, or hear that something is being prepared: that may take long, and is not waited for."""
        async with self._still:
            yield self._preparing == 0


@dataclass(frozen=True, slots=True)
class QuietRuntime:
    """A runtime whose preparations keep to the moments in which nobody has quiet."""

    runtime: Runtime
    quiet: Quiet

    @property
    def name(self) -> str:
        """The runtime's own."""
        return self.runtime.name

    @property
    def isolated(self) -> bool:
        """Whether the runtime isolates."""
        return self.runtime.isolated

    async def prepare(self, version: str, *, progress: Progress = silent) -> Prepared:
        """Make a version ready. Raises ImageRefusedError or PrepareFailedError."""
        async with self.quiet.preparing():
            return await self.runtime.prepare(version, progress=progress)
