"""What is said of instances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cogyard.domain.autoscale import InstanceView, Phase
from cogyard.web.standing import end, lived, moment, state

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phase", "busy", "said"),
    [
        (Phase.STARTING, 0, "setting up"),
        (Phase.READY, 0, "idle"),
        (Phase.READY, 2, "active, 2 of 4 running"),
        (Phase.DRAINING, 1, "ending"),
    ],
)
def test_states(phase: Phase, busy: int, said: str) -> None:
    """Each phase has its word, and one that works says how much."""
    assert state(InstanceView(id="i", deployable="v", phase=phase, since=NOW, slots=4, busy=busy)) == said


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"error": "setup() failed", "became_ready": False}, "did not start"),
        ({"error": None, "exit": "was killed", "became_ready": True}, "crashed"),
        ({"error": None, "exit": None, "became_ready": True}, "ended"),
        ({}, "ended"),
    ],
)
def test_ends(record: dict[str, Any], said: str) -> None:
    """One that never ran, one that died and one that was let go are told apart."""
    assert end(record) == said


def test_lives() -> None:
    """How long it lived is said where both moments can be read; a spoilt record says nothing."""
    told = {"started_at": NOW.isoformat(), "ended_at": (NOW + timedelta(seconds=65)).isoformat()}
    assert lived(told) == "lived 1 min 5 s"
    assert lived({"started_at": "yesterday"}) == ""
    assert moment(7) is None
