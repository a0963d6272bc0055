"""One running worker process on the event loop: frames out, frames, text and its end in.

Theory of operation: frames come through an asyncio transport over the socket pair; the two log pipes are watched by the
loop and read with plain `os.read`. Everything the model wrote before a terminal frame is already in the pipes when that
frame arrives, so `drain()` reads both until they are empty, and the listener then knows whose text it was. A thread
waits for the process itself (a forked child may hold the socket open after the model died).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from cog_server import frames
from cog_server.errors import ProtocolError
from cog_server.workers.exits import Exit, out_of_memory_kills
from cog_server.workers.process import WorkerProcess
from cog_server.workers.short_timer import ShortTimer

_READ = 1 << 16
"""Bytes read from a log pipe at once."""
_FLUSH_SECONDS = 0.01
_LAST_WORDS_SECONDS = 0.5
"""How long after its death a worker's socket may stay open in the hands of a child that left its process group."""
_DRAIN_LIMIT = 1 << 24
"""Bytes read from a pipe in one drain; a subprocess that never stops writing must not hold the loop."""

_BURST = 20_000
"""Outputs a second from which their reading rests in between."""
_REST_SECONDS = 0.0003
"""How long it rests: what an output waits at most (a millisecond where the system has no short timers)."""


class WorkerListener(Protocol):
    """Who hears what a worker does."""

    def frames_received(self, received: list[frames.Frame]) -> None:
        """Take frames, in order."""

    def text_received(self, source: str, data: bytes) -> None:
        """Take what was written to stdout or stderr."""

    def exited(self, how: Exit) -> None:
        """Learn that the process is gone. Nothing follows."""


class Worker(asyncio.Protocol):
    """Speak with one worker process; make it with `await Worker.attach(...)`."""

    def __init__(
        self,
        process: WorkerProcess,
        listener: WorkerListener,
        *,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.process = process
        self.pid = process.popen.pid
        self._listener = listener
        self._decoder = frames.Decoder()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._poll = select.poll()
        self._pipes: dict[int, str] = {process.stdout: "stdout", process.stderr: "stderr"}
        self._kill_reason: str | None = None
        self._broken = False
        self._clock = clock
        self._read_at = -1.0
        self._rest: ShortTimer | None = None
        self._memory_kills = out_of_memory_kills()
        self._status: int | None = None
        self._reported = False

    @classmethod
    async def attach(cls, process: WorkerProcess, listener: WorkerListener) -> Worker:
        """Connect a spawned process to the running loop."""
        worker = cls(process, listener)
        loop = worker._loop
        for fd in worker._pipes:
            worker._poll.register(fd, select.POLLIN)
            loop.add_reader(fd, worker._readable, fd)
        await loop.create_unix_connection(lambda: worker, sock=process.socket)
        threading.Thread(target=worker._wait, name="cog-worker-wait", daemon=True).start()
        return worker

    def send(self, kind: int, tag: int, payload: bytes = b"") -> None:
        """Write one frame; silently nothing when the worker is gone (its exit is reported anyway)."""
        if self._transport is not None:
            self._transport.write(frames.encode(kind, tag, payload))

    def interrupt(self) -> None:
        """Signal a sync worker that a CANCEL frame waits, once that frame has left."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_FLUSH_SECONDS, self.interrupt)
        else:
            self.process.interrupt()

    def kill(self, reason: str) -> None:
        """Kill the process group, and remember why."""
        if self._kill_reason is None:
            self._kill_reason = reason
        self.process.kill()

    def drain(self) -> None:
        """Hand over all text that is in the pipes now."""
        if self._pipes:
            for fd, _ in self._poll.poll(0):
                self._read(fd, _DRAIN_LIMIT)

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a socket's transport writes
        # With no room in its buffer uvloop writes at once: the model runs while we note what was sent.
        self._transport.set_write_buffer_limits(0)  # type: ignore[union-attr]  # set just above

    def data_received(self, data: bytes) -> None:
        """Cut frames and pass them on; a worker that breaks the protocol is killed, and not listened to any more."""
        if self._broken:
            return
        try:
            received = self._decoder.feed(data)
            if received:
                self._listener.frames_received(received)
                if received[-1][0] == frames.OUTPUT:
                    self._pace(len(received))
        except ProtocolError as exc:
            self._broken = True
            self.kill(exc.message)

    def _pace(self, count: int) -> None:
        """Rest from reading when outputs come faster than anybody needs each by itself.

        Woken for each, this process would take its processor from the model every few microseconds.
        """
        now = self._clock()
        rapid = count > (now - self._read_at) * _BURST
        self._read_at = now
        if rapid and self._transport is not None:
            self._transport.pause_reading()
            if self._rest is None:
                self._rest = ShortTimer(self._loop, self._go_on)
            self._rest.start(_REST_SECONDS)

    def _go_on(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Note that everything the worker sent has been read; its exit is reported once both are known."""
        self._transport = None
        if self._status is None:
            # A worker that closed its socket cannot serve; it has a second to end by itself.
            self._loop.call_later(1.0, self._kill_if_alive)
        else:
            self._report()

    def _kill_if_alive(self) -> None:
        if self._status is None:
            self.kill("it closed its connection to the server")

    def _readable(self, fd: int) -> None:
        self._read(fd, _READ)

    def _read(self, fd: int, limit: int) -> None:
        source = self._pipes.get(fd)
        while source is not None and limit > 0:
            try:
                data = os.read(fd, _READ)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close_pipe(fd)
                return
            limit -= len(data)
            self._listener.text_received(source, data)
            if len(data) < _READ:
                return

    def _close_pipe(self, fd: int) -> None:
        if self._pipes.pop(fd, None) is not None:
            self._poll.unregister(fd)
            self._loop.remove_reader(fd)
            os.close(fd)

    def _wait(self) -> None:
        """Wait for the process, in a thread; kill what it left behind before its number can be given to another."""
        if hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.process.kill()
        status = self.process.popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
            self._loop.call_soon_threadsafe(self._ended, status)

    def _ended(self, status: int) -> None:
        self._status = status
        if self._transport is None:
            self._report()
        else:
            # Frames that it sent last may still be on their way to us.
            self._loop.call_later(_LAST_WORDS_SECONDS, self._report)

    def _report(self) -> None:
        if self._reported or self._status is None:
            return
        self._reported = True
        self.drain()
        for fd in list(self._pipes):
            self._close_pipe(fd)
        if self._transport is not None:
            self._transport.abort()
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        memory = out_of_memory_kills() > self._memory_kills
        self._listener.exited(Exit(status=self._status, out_of_memory=memory, by_us=self._kill_reason))
