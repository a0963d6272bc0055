"""Gates on Unix sockets: where model servers without a network reach the platform, and nothing but its files."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from cogyard.compose.heads import Bounded
from cogyard.instances.gate import Gate

#: Of one instance at once: a model that opens more keeps itself from its files, nobody else.
_CONNECTIONS = 64


class UnixGates:
    """The GateKeeper: one listening socket for each instance, all before one application."""

    def __init__(self, gate: Gate) -> None:
        self._config = uvicorn.Config(
            cast("Any", gate),  # the same protocol, written with other names
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            # Without it this configuration would silence the requests of the whole process.
            access_log=True,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
        )

    async def open(self, path: Path) -> Callable[[], Awaitable[None]]:
        """Listen at a path; what is returned closes it."""
        if not self._config.loaded:
            self._config.load()
        # Not uvicorn's own server: its loop wakes ten times a second, for each instance that idles.
        state = ServerState()
        config = self._config
        listening = _bound(path)
        try:
            server = await asyncio.get_running_loop().create_unix_server(
                lambda: _connection(config, state), sock=listening
            )
        except BaseException:
            listening.close()
            raise

        async def close() -> None:
            server.close()
            for connection in list(state.connections):
                connection.shutdown()
            await asyncio.sleep(0)

        return close


def _connection(config: uvicorn.Config, state: ServerState) -> Bounded:
    made = Bounded(config=config, server_state=state, app_state={})
    made.access_log = False  # addresses behind a gate are secrets, and its callers are our own
    return made


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o666)  # Who may come so far is said by the folder; in a sandbox, by what is mounted.
    except OSError:
        made.close()
        raise
    return made
