"""Which Cog's conventions a version follows, in words that clients understand. Pure."""

from __future__ import annotations

import re

#: The Cog whose schemas ours are like.
FOLLOWED = "0.23.1"

#: The first Cog that marks iterators in its schema.
_MARKS_ITERATORS = (0, 3, 9)

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def told(release: str) -> str:
    """Return the `cog_version` that clients are told of an image whose label names `release`.

    Official clients take every array of an image before Cog 0.3.9 for an iterator, since nothing in its schema tells
    them apart. Our own releases count from 0.1 and mark iterators as today's Cog does: their number stands behind its.
    """
    numbers = _NUMBERS.match(release)
    if numbers is None or tuple(int(part or 0) for part in numbers.groups()) >= _MARKS_ITERATORS:
        return release
    return f"{FOLLOWED}+cogyard.{re.sub('[^0-9A-Za-z]+', '.', release).strip('.')}"
