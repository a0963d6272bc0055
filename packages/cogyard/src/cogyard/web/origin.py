"""Whether a request that changes something was made by a page of ours. Pure.

Theory of operation: a session cookie comes along whoever wrote the page that sends the request, so the browser's
word on where that page came from decides. Every browser of the last years says `Sec-Fetch-Site`; older ones say
`Origin`. A client that says neither is no browser, and has no cookie to abuse.
"""

from __future__ import annotations

from collections.abc import Mapping

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def is_same_origin(headers: Mapping[str, str], *, bases: frozenset[str]) -> bool:
    """Whether the headers say that a page of ours sent this. `bases` are our addresses, `scheme://host[:port]`."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin in bases
