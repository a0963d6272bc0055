"""What is said of an instance: its state in words, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.web.cards import seconds


def state(view: InstanceView) -> str:
    """Say what a living instance does."""
    match view.phase:
        case Phase.STARTING:
            return "setting up"
        case Phase.DRAINING:
            return "ending"
        case Phase.READY:
            return f"active, {view.busy} of {view.slots} running" if view.busy else "idle"


def end(record: Mapping[str, Any]) -> str:
    """Say how an instance that is gone ended."""
    if record.get("error"):
        return "crashed" if record.get("became_ready") else "did not start"
    return "crashed" if record.get("exit") else "ended"


def lived(record: Mapping[str, Any]) -> str:
    """Say how long it lived."""
    began, ended = moment(record.get("started_at")), moment(record.get("ended_at"))
    return f"lived {seconds((ended - began).total_seconds())}" if began and ended else ""


def moment(text: Any) -> datetime | None:
    """Read a moment that the fleet wrote down; None for one that cannot be read."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
