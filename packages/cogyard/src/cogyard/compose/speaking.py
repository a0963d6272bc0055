"""How connections of the platform speak HTTP/1.1: uvicorn's protocol, without what it makes of offers to upgrade."""

from __future__ import annotations

from cog_server.front.upgrades import without_offer
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Speaking(HttpToolsProtocol):
    """One connection. Nothing is upgraded here: a request that offers it is answered as it stands, with its body."""

    _inside = False

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        super().data_received(data if self._inside else without_offer(data))

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._inside = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """End a request."""
        self._inside = False
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        # Any stranger could fill the log with advice about WebSocket libraries.
        pass
