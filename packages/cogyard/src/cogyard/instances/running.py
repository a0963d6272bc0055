"""A model server that is a child process of ours: watched, its words kept, asked to end, ended, tidied up after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from cogyard.instances.runtime import Exit
from cogyard.instances.tail import Tail

#: A shell's way of telling a signal, which bubblewrap and Docker use too.
_SIGNALS = 128


class RunningProcess:
    """One model server process. `ask` asks it to end; `tidy` removes what it leaves behind.

    `fault` returns once there is a reason to end it, which it returns.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        address: str,
        tidy: Callable[[], Awaitable[None]],
        ask: Callable[[], Awaitable[None]] | None = None,
        fault: Coroutine[None, None, str] | None = None,
    ) -> None:
        self._process = process
        self._address = address
        self._tidy = tidy
        self._ask = ask
        self._tail = Tail()
        self._reason = ""
        self._watcher = asyncio.create_task(self._watch(fault)) if fault is not None else None
        self._reader = asyncio.create_task(self._read())

    @property
    def address(self) -> str:
        """`unix:` and the path of its socket."""
        return self._address

    async def wait(self) -> Exit:
        """Return once the process has ended."""
        code = await self._process.wait()
        code = _SIGNALS - code if self._ask is not None and code > _SIGNALS else code
        return Exit(code=code, reason=self._reason)

    def logs(self) -> str:
        """Return the end of what the server and the model printed."""
        return self._tail.text()

    async def stop(self, *, grace: float = 5.0) -> None:
        """Ask, wait `grace` seconds, kill, and tidy up; may be called twice."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._process.returncode is None:
            try:
                async with asyncio.timeout(grace):
                    if grace > 0:
                        await self._end_softly()
                    await self._process.wait()
            except TimeoutError:
                self._kill()
                await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._tidy()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _watch(self, fault: Coroutine[None, None, str]) -> None:
        self._reason = await fault
        self._kill()

    async def _end_softly(self) -> None:
        if self._ask is not None:
            await self._ask()
        elif self._process.returncode is None:
            self._process.terminate()

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    async def _read(self) -> None:
        stream = self._process.stdout
        while stream is not None and (data := await stream.read(64 << 10)):
            self._tail.add(data)
