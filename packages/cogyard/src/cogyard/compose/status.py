"""What a running platform says of itself in a file of its folder, for `cogyard status`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from cogyard.compose.accounted import counted
from cogyard.fleet.controller import Overview
from cogyard.fleet.reasons import reason_for

_log = logging.getLogger("cogyard.platform")

#: The file is written at most this often, in seconds.
_EVERY = 0.5


class StatusFile:
    """Writes the fleet's state when it has changed; `run` is its loop."""

    def __init__(self, path: Path, max_instances: int) -> None:
        self._path = path
        self._max_instances = max_instances
        self._overview: Overview | None = None
        self._written: str | None = None
        self._news = asyncio.Event()

    def observe(self, overview: Overview) -> None:
        """Take the newest state."""
        self._overview = overview
        self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._overview is not None:
                text = json.dumps(describe(self._overview, self._max_instances))
                if text != self._written:
                    await asyncio.to_thread(self._write, text)
            await asyncio.sleep(_EVERY)

    def _write(self, text: str) -> None:
        unfinished = self._path.with_suffix(".new")
        try:
            unfinished.write_text(text, "utf-8")
            unfinished.replace(self._path)
        except OSError as error:  # A full disk must not end the platform.
            _log.warning("status_not_written", extra={"reason": error.strerror})
        else:
            self._written = text


def describe(overview: Overview, max_instances: int) -> dict[str, Any]:
    """Return the state as JSON values; `reasons` says why what waits waits."""
    reasons = {name: reason_for(name, overview, max_instances) for name in overview.waiting}
    return {
        "instances": [_plain(asdict(view)) for view in overview.instances],
        "hardware": [asdict(one) for one in counted(overview.capacity, overview.instances)],
        "waiting": dict(overview.waiting),
        "reasons": {
            name: {"reason": reason.cause.value, "detail": reason.detail} for name, reason in reasons.items()
        },
        "troubles": {
            name: {
                "failures": trouble.failures,
                "reason": trouble.reason,
                "not_before": trouble.not_before.isoformat(),
                "unasked_before": trouble.unasked_before.isoformat(),
                "stopped": trouble.stopped,
            }
            for name, trouble in overview.troubles.items()
        },
    }


def read_status(path: Path) -> dict[str, Any]:
    """Return what the platform last said; empty when it has said nothing that can be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }
