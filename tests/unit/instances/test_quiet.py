"""Quiet is had while nothing is prepared, and what wants to be prepared meanwhile waits."""

from __future__ import annotations

import asyncio

import pytest
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.quiet import Quiet, QuietRuntime
from cogyard.testing.instances import FakeModel, FakeRuntime, echo

pytestmark = pytest.mark.anyio


async def test_preparations_go_on_beside_each_other() -> None:
    """And whoever asks for quiet hears that there is none, until the last of them has ended."""
    quiet = Quiet()
    async with quiet.preparing():
        async with quiet.preparing(), quiet.asked() as is_quiet:
            assert not is_quiet
        async with quiet.asked() as is_quiet:
            assert not is_quiet
    async with quiet.asked() as is_quiet:
        assert is_quiet


async def test_a_runtime_prepares_nothing_while_there_is_quiet() -> None:
    """It does so afterwards."""
    quiet = Quiet()
    runtime = QuietRuntime(FakeRuntime({"hello": FakeModel(echo)}), quiet)
    async with quiet.asked():
        prepared = asyncio.create_task(runtime.prepare("hello"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not prepared.done()
    assert (await prepared).slots >= 1
    assert (runtime.name, runtime.isolated) == (runtime.runtime.name, runtime.runtime.isolated)


async def test_a_preparation_that_fails_is_over_too() -> None:
    """Or nothing would ever be removed again."""
    quiet = Quiet()
    with pytest.raises(ImageRefusedError):
        await QuietRuntime(FakeRuntime({}), quiet).prepare("absent")
    async with quiet.asked() as is_quiet:
        assert is_quiet
