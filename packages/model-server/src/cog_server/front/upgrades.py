"""Requests that offer to go on in another protocol, such as `Upgrade: h2c`: answered in HTTP/1.1, body and all.

Java's HttpClient and `curl --http2` offer so with each request over plain HTTP. A server may ignore the offer
(RFC 9110, 7.8), but the parser takes what follows the head for the other protocol: the body would be lost.
"""

from __future__ import annotations

import re

_LOOKED_THROUGH = 8192
_OFFER = re.compile(rb"\r\nupgrade(?=[ \t]*:)", re.IGNORECASE)
_IGNORED = b"\r\nIgnored"
"""As long as what it replaces, so that nothing else moves."""


def without_offer(data: bytes) -> bytes:
    """Return what begins with a request's head, with its `Upgrade` header under another name."""
    if data.find(b"pgrade", 0, _LOOKED_THROUGH) < 0 and data.find(b"PGRADE", 0, _LOOKED_THROUGH) < 0:
        return data
    end = data.find(b"\r\n\r\n", 0, _LOOKED_THROUGH)
    head = data if end < 0 else data[:end]
    return _OFFER.sub(_IGNORED, head) + data[len(head) :]
