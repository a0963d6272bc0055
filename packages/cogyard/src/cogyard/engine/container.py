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
from dataclasses import dataclass, field, replace

from cogyard.engine.client import Client
from cogyard.engine.errors import ContainerError, EngineError
from cogyard.engine.gpus import gpu_hint, gpu_words

#: Receives what the container writes: `stdout` or `stderr`, and text.
OnText = Callable[[str, str], None]

#: The model server's port inside every image.
PORT = 5000
#: Seconds a container has to end by itself.
GRACE = 5
#: The engine's own failure to run a container, by the exit status its client ends with; podman also ends with 126.
_NOT_RUN = 125
_NOT_STARTED = 126
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
    direct: str | None = None
    """`HOST:PORT` of a server that listens on the machine's own network."""
    command: Sequence[str] = ()
    options: Sequence[str] = ()
    host_command: Sequence[str] = ()
    """The command instead, where a container has the machine's network and the server does not read HOST."""

    def on_host_network(self, free: Callable[[str], int]) -> Settings:
        """Return the settings where a container has the machine's own network.

        The server listens where it would be published otherwise, since nothing is published there. `free` finds a port
        of an address.
        """
        host, _, port = (self.publish or "").rpartition(":")
        host = host.strip("[]")
        chosen = free(host) if port == "0" else int(port)
        return replace(
            self,
            publish=None,
            direct=f"{host}:{chosen}" if ":" not in host else f"[{host}]:{chosen}",
            env={**self.env, "HOST": host, "PORT": str(chosen)},
            command=self.host_command or self.command,
        )

    def arguments(self, name: str, engine: str) -> list[str]:
        """Return the words after the engine's command; values of variables are not among them: others can see those."""
        words = ["run", "--rm", "--name", name, "--label", f"{LABEL}=1"]
        if self.publish is not None:
            host, _, port = self.publish.rpartition(":")
            words += ["-p", f"{host}:{'' if port == '0' else port}:{PORT}"]
        words += gpu_words(engine, self.gpus)
        for variable in self.env:
            words += ["-e", variable]
        return [*words, *self.options, self.image, *self.command]


def free_port(host: str) -> int:
    """Return a port of this machine that is free at the moment."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


class Container:
    """A running container; get one from `Container.run`."""

    def __init__(
        self,
        client: Client,
        name: str,
        process: asyncio.subprocess.Process,
        on_text: OnText,
        settings: Settings,
    ) -> None:
        self._settings = settings
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
        import os

        if settings.publish is not None and await asyncio.to_thread(client.on_host_network, settings.image):
            settings = settings.on_host_network(free_port)
        name = f"cog-{secrets.token_hex(6)}"
        try:
            process = await asyncio.create_subprocess_exec(
                str(client.program),
                *settings.arguments(name, client.name),
                env={**os.environ, **settings.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"{client.program} cannot be run: {error.strerror}") from error
        container = cls(client, name, process, on_text, settings)
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
        if self._settings.direct is not None:
            return f"http://{self._settings.direct}"
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
        gpus, engine = self._settings.gpus, self._client.name
        wanted = bool(gpu_words(engine, gpus)) and status in {_NOT_RUN, _NOT_STARTED}
        if wanted or status == _NOT_RUN:
            with_gpus = f" with GPUs ({gpus})" if wanted else ""
            raise ContainerError(
                f"{engine} could not run the container{with_gpus}; its own message stands above",
                hint=gpu_hint(engine) if wanted else None,
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
