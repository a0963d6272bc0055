"""One container that runs as long as it is wanted, and not longer.

Theory of operation: the engine's client runs attached, in a session of its own, so that a terminal's Ctrl-C reaches us
and not it; whoever leaves the block stops the container by its name, whatever happened before. `--rm` takes it away.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from cogyard.engine.client import Client
from cogyard.engine.errors import ContainerError, EngineError

#: Receives what the container writes: `stdout` or `stderr`, and text.
OnText = Callable[[str, str], None]

#: The model server's port inside every image.
PORT = 5000
#: Seconds a container has to end by itself.
GRACE = 5
#: The engine's own failure to run a container, by the exit status its client ends with.
_NOT_RUN = 125
_LOOK_AGAIN = 0.1
#: Marks our containers, for whoever finds one after we were killed.
LABEL = "run.cog.command"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a container is run. `publish` is `HOST:PORT` for the model server; a port of 0 takes any."""

    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    gpus: str | None = None
    publish: str | None = None
    command: Sequence[str] = ()
    options: Sequence[str] = ()

    def arguments(self, name: str) -> list[str]:
        """Return the words after `docker`. Values of variables are not among them: other users can see those."""
        words = ["run", "--rm", "--name", name, "--label", f"{LABEL}=1"]
        if self.publish is not None:
            host, _, port = self.publish.rpartition(":")
            words += ["-p", f"{host}:{'' if port == '0' else port}:{PORT}"]
        if self.gpus is not None:
            words += ["--gpus", self.gpus]
        for variable in self.env:
            words += ["-e", variable]
        return [*words, *self.options, self.image, *self.command]


class Container:
    """A running container; get one from `Container.run`."""

    def __init__(
        self, client: Client, name: str, process: asyncio.subprocess.Process, on_text: OnText
    ) -> None:
        self._client = client
        self._process = process
        self._on_text = on_text
        self.name = name
        self._readers = [
            asyncio.create_task(self._read("stdout", process.stdout)),
            asyncio.create_task(self._read("stderr", process.stderr)),
        ]

    @classmethod
    @asynccontextmanager
    async def run(cls, client: Client, settings: Settings, on_text: OnText) -> AsyncIterator[Container]:
        """Run a container for the length of the block. Raises EngineError when the client cannot be started."""
        name = f"cog-{secrets.token_hex(6)}"
        import os

        try:
            process = await asyncio.create_subprocess_exec(
                str(client.program),
                *settings.arguments(name),
                env={**os.environ, **settings.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"{client.program} cannot be run: {error.strerror}") from error
        container = cls(client, name, process, on_text)
        try:
            yield container
        finally:
            await container._end()

    @property
    def ended(self) -> int | None:
        """The exit status once it has ended."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return the exit status when it has ended."""
        return await self._process.wait()

    async def address(self) -> str:
        """Return `http://HOST:PORT` as soon as the engine says where the port is published.

        Raises ContainerError when the container ends before.
        """
        while True:
            self.check()
            done = await asyncio.to_thread(self._client.call, "port", self.name, f"{PORT}/tcp")
            found = done.stdout.split()
            if done.returncode == 0 and found:
                return f"http://{found[0]}"
            await asyncio.sleep(_LOOK_AGAIN)

    def check(self) -> None:
        """Raise ContainerError when the container has ended."""
        status = self.ended
        if status is None:
            return
        # What it said has been passed on as it came.
        if status == _NOT_RUN:
            raise ContainerError(
                f"{self._client.name} could not run the container; its own message stands above"
            )
        raise ContainerError(f"the container ended with exit status {status}; its last words stand above")

    async def _end(self) -> None:
        stopped = False
        try:
            if self.ended is None:
                words = ["stop", "-t", str(GRACE), self.name]
                with suppress(EngineError):
                    await asyncio.shield(asyncio.to_thread(self._client.call, *words))
            await asyncio.wait_for(self._process.wait(), GRACE)
            stopped = True
            await asyncio.wait_for(asyncio.gather(*self._readers), GRACE)
        except TimeoutError:
            pass  # removed by force below
        finally:
            if not stopped:
                # Also after a second Ctrl-C, which breaks off the lines above.
                with suppress(EngineError):
                    self._client.call("rm", "--force", self.name)
                with suppress(ProcessLookupError):
                    self._process.kill()
            for reader in self._readers:
                reader.cancel()

    async def _read(self, source: str, stream: asyncio.StreamReader | None) -> None:
        import codecs

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while stream is not None and (data := await stream.read(64 << 10)):
            text = decoder.decode(data)
            self._on_text(source, text)
