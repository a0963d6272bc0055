"""The release of this package."""

from __future__ import annotations

import functools


@functools.cache
def release() -> str:
    """Return the version. Asked for only when it is told: looking it up takes a sixth of a server's start."""
    from importlib import metadata

    try:
        return metadata.version("cogyard-model-server")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"
