"""The client's pauses take no time in its unit tests."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from replicate import _shells


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the shells' clocks stand still: which pauses there are is the flows', and tested as values."""
    turn = asyncio.sleep

    async def pause(_seconds: float) -> None:
        await turn(0)

    monkeypatch.setattr(_shells, "time", SimpleNamespace(sleep=lambda _seconds: None))
    monkeypatch.setattr(_shells, "asyncio", SimpleNamespace(sleep=pause))
