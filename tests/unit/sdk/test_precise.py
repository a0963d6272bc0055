"""The event loop of async predictors."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import pytest
from cog.worker import precise

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere asyncio's own selectors are as exact")


@linux
def test_a_wait_is_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The selector asks the system for the time that it was given, and only where there is one to wait for."""
    waits: list[float] = []

    def select(watched: tuple[Any, ...], *_: Any) -> None:
        assert watched == (selector,)
        waits.append(_[-1])

    monkeypatch.setattr(precise, "select", select)
    with precise.PreciseSelector() as selector:
        assert selector.select(0.000_123) == []
        assert selector.select(0) == []
        assert selector.select(-1) == []
    assert waits == [0.000_123]


@linux
def test_what_is_ready_ends_a_wait() -> None:
    """A descriptor that can be read is found, and one of a thousand others need not be small."""
    reading, writing = os.pipe()
    try:
        with precise.PreciseSelector() as selector:
            selector.register(reading, 1)
            assert selector.select(0.001) == []
            os.write(writing, b"x")
            assert [key.fd for key, _ in selector.select(60.0)] == [reading]
            assert [key.fd for key, _ in selector.select(None)] == [reading]
    finally:
        os.close(reading)
        os.close(writing)


def test_a_program_runs_as_on_asyncio_s_own() -> None:
    """Sleeps end, threads wake the loop, and what main() returns or raises comes out."""

    async def main(good: bool) -> str:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(told.set)).start()
        await asyncio.wait_for(told.wait(), 60)
        await asyncio.sleep(0.001)
        if not good:
            raise LookupError("no")
        return "done"

    assert precise.run(main(good=True)) == "done"
    with pytest.raises(LookupError, match="no"):
        precise.run(main(good=False))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 has asyncio's own loop")
def test_the_author_s_policy_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is none of asyncio's own is left as it is."""

    class Own(asyncio.SelectorEventLoop):
        pass

    own = Own()
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: own)
    try:
        assert precise.new_loop() is own
    finally:
        own.close()
        asyncio.set_event_loop(None)
