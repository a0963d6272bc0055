"""Absolute addresses as the client reached us, because its next request must find the same door.

A public URL from the settings wins. Else it is the request's own scheme and Host header, which are a trusted proxy's
word where there is one (`cogyard.web.proxies`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from starlette.requests import HTTPConnection

from cogyard.domain.fileref import FileRef, presented
from cogyard.http.headers import header

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LOCAL = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes addresses below one base, which has no slash at its end."""

    base: str

    @classmethod
    def of(cls, request: HTTPConnection) -> Self:
        """Read the base from a request and the application's `state.web` settings."""
        # Asked for several times in a request: by whoever keeps the base, and by each part of the answer.
        state = request.scope.setdefault("state", {})
        found: Self | None = state.get("addresses")
        if found is None:
            found = state["addresses"] = cls._read(request)
        return found

    @classmethod
    def _read(cls, request: HTTPConnection) -> Self:
        settings = getattr(request.app.state, "web", None)
        public_url: str | None = getattr(settings, "public_url", None)
        if public_url:
            return cls(public_url.rstrip("/"))
        scheme = request.scope.get("scheme", "http")
        host = header(request, b"host") or ""
        if _HOST.fullmatch(host) is None:
            server = request.scope.get("server")
            host = f"{server[0]}:{server[1]}" if server and server[1] else ""
        return cls(f"{scheme}://{host}" if _HOST.fullmatch(host) else _LOCAL)

    def api(self, path: str) -> str:
        """Return the address of an API path, which begins with a slash."""
        return f"{self.base}/v1{path}"

    def web(self, path: str) -> str:
        """Return the address of a page."""
        return f"{self.base}{path}"

    def delivery(self, ref: FileRef) -> str:
        """Return where a file of ours is fetched, with no header needed."""
        return f"{self.base}/delivery/{ref.token}/{quote(ref.name)}"

    def show(self, value: Any) -> Any:
        """Return a JSON value with every `cogyard-file:` in it as an absolute address."""
        return presented(value, self.delivery)
