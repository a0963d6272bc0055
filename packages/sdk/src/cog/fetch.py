"""Fetching one file by URL, with the standard library only."""

from __future__ import annotations

import os

CHUNK = 1 << 20
TIMEOUT = 60.0


def fetch(url: str, target: str) -> None:
    """Write what `url` (http, https, file or data) holds to `target`; all of it or nothing. Raises OSError."""
    import urllib.request

    agent = os.environ.get("COG_USER_AGENT", "cogyard")
    request = urllib.request.Request(url, headers={"User-Agent": agent})  # noqa: S310 - the author's own address
    partial = f"{target}.part"
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response, open(partial, "wb") as file:  # noqa: S310 - as above
            while chunk := response.read(CHUNK):
                file.write(chunk)
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
