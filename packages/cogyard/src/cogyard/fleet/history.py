"""How instances fared, kept in files: their setup logs outlive them, so that one can see why a model did not start."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from cogyard.domain.deployables import version_of
from cogyard.fleet.local import Ended
from cogyard.instances.tail import last_lines

_log = logging.getLogger("cogyard.fleet")

#: Kept for each version, the newest.
KEPT = 10
_LOGS = 256_000


class History:
    """A folder with a folder for each version and a JSON file for each instance."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, ended: Ended) -> None:
        """Keep how an instance ended; blocks a moment. A full disk is logged, not raised."""
        folder = self._root / ended.deployable
        try:
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{ended.started_at:%Y%m%dT%H%M%S%f}-{ended.instance}.json"
            unfinished = folder / f".{name}"
            unfinished.write_text(json.dumps(_record(ended)), "utf-8")
            unfinished.replace(folder / name)
            for old in sorted(folder.glob("*.json"))[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("history_not_kept", extra={"instance": ended.instance, "reason": error.strerror})

    def of(self, deployable: str) -> list[dict[str, Any]]:
        """Return what is kept of a version, newest first."""
        found: list[dict[str, Any]] = []
        for file in sorted((self._root / deployable).glob("*.json"), reverse=True):
            try:
                found.append(json.loads(file.read_text("utf-8")))
            except (OSError, ValueError):
                continue
        return found


def _record(ended: Ended) -> dict[str, Any]:
    return {
        "instance": ended.instance,
        "version": version_of(ended.deployable),
        "started_at": ended.started_at.isoformat(),
        "ended_at": ended.ended_at.isoformat(),
        "became_ready": ended.became_ready,
        "error": ended.error.message if ended.error else None,
        "exit": str(ended.exit) if ended.exit else None,
        "setup_logs": last_lines(ended.setup_logs, _LOGS),
    }
