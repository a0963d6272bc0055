"""How connections of the platform speak HTTP/1.1: uvicorn's protocol, with an end of its patience, and no upgrades.

uvicorn waits for ever for a request that was begun, and for whoever reads none of an answer. Twenty thousand
connections that each send half a line, or ask for a file and leave it in the line, would keep every descriptor of the
process, and everybody else out.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from cog_server.front.upgrades import without_offer

from cogyard.compose.heads import Bounded
from cogyard.compose.taking import LEAST, Taking, hang_up

#: Looks in a row at which an answer was stuck: who reads may stop to think for longer than who asks.
LOOKS_STUCK = 3

#: Seconds between looks whether a connection that ends is over. By TLS both sides say so; a client that keeps it for
#: later reads nothing, says nothing, and would hold up the end of the platform.
FAREWELL = 0.25


class Speaking(Bounded):
    """One connection. Nothing is upgraded here: a request that offers it is answered as it stands, with its body."""

    patience: ClassVar[float] = 45.0
    """Seconds between two looks. Less than `LEAST` bytes of a request in that time is no client."""

    _inside = False
    _begun = 0
    _begun_before = -1
    _heard = 0
    _stuck = 0
    _look: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start, and look again later."""
        super().connection_made(transport)
        self._taking = Taking()
        self._look = self.loop.call_later(self.patience, self._looked)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._look, self._leaving):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._heard += len(data)
        super().data_received(data if self._inside else without_offer(data))

    def shutdown(self) -> None:
        """End once what is asked is answered, whether or not the client says that it has heard it."""
        super().shutdown()
        self._leaving = self.loop.call_later(FAREWELL, self._leave)

    def _leave(self) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size() == 0:
            self.transport.abort()
        else:
            self._leaving = self.loop.call_later(FAREWELL, self._leave)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._inside = True
        self._begun += 1
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """End a request."""
        self._inside = False
        super().on_message_complete()

    def _looked(self) -> None:
        """Close the connection when the same request, the lack of one or an answer is where it was at the last look."""
        peer = self.transport.get_extra_info("socket")
        stuck = self._taking.look(peer, self.transport.get_write_buffer_size())
        self._stuck = self._stuck + 1 if stuck else 0
        if self._stuck >= LOOKS_STUCK:
            hang_up(peer)
            self.transport.abort()
            return
        unfinished = self._inside or not self._begun
        same = self._begun == self._begun_before
        if unfinished and same and self._heard < LEAST and not self.flow.read_paused:
            self.transport.close()
            return
        self._begun_before, self._heard = (self._begun if unfinished else -1), 0
        self._look = self.loop.call_later(self.patience, self._looked)

    def _unsupported_upgrade_warning(self) -> None:
        # Any stranger could fill the log with advice about WebSocket libraries.
        pass
