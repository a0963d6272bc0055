"""The release of this package."""

from __future__ import annotations

from importlib import metadata


def _release() -> str:
    try:
        return metadata.version("cogyard-model-server")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"


RELEASE = _release()
