"""A file that is there while the model takes predictions: what a Kubernetes probe can look at without a request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger("cog_server")

KUBERNETES = Path("/var/run/cog/ready")


def chosen(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """Return the file that was named, else Cog's own inside Kubernetes, else None."""
    if path is not None:
        return path
    return KUBERNETES if env.get("KUBERNETES_SERVICE_HOST") else None


class ReadyFile:
    """Make and remove one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def show(self, ready: bool) -> None:  # noqa: FBT001 - a callback
        """Make the file, or remove it. A file that cannot be made is told in the log; the model serves all the same."""
        try:
            if ready:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("ready file failed path=%s reason=%s", self._path, exc.strerror)
