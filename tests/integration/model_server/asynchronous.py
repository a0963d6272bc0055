# ruff: noqa: T201 - models do what models do
"""An asynchronous predictor, for tests of slots."""

import asyncio
from collections.abc import AsyncIterator

import cog


class Waits:
    """Waits as long as it is told."""

    @cog.concurrent(max=4)
    async def predict(self, seconds: float, text: str = "") -> str:
        """Wait."""
        print(f"waiting {text}")
        await asyncio.sleep(seconds)
        return text


class Tokens:
    """Yields asynchronously."""

    @cog.concurrent(max=2)
    async def predict(self, count: int) -> AsyncIterator[str]:
        """Yield."""
        for number in range(count):
            await asyncio.sleep(0)
            yield f"t{number}"
