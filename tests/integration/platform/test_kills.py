"""Kills at random moments under load: every accepted prediction ends, once, with its own output, and is told once.

`COGYARD_KILLS=300 pytest -s tests/integration/platform/test_kills.py` runs as many kills and prints the summary;
`COGYARD_KILLS_SEED` repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.platform.killing import Clients, judge, kill_one, receiving, until_settled
from tests.live import free_port

KILLS = int(os.environ.get("COGYARD_KILLS", "10"))
CLIENTS = 3

pytestmark = [
    pytest.mark.xdist_group("platform"),
    pytest.mark.slow,
    pytest.mark.timeout(300 + 20 * KILLS),
]


def test_nothing_is_lost_and_nothing_ends_twice(stopped: Any, model: Any, tmp_path: Path) -> None:
    """Platform, model servers, workers and clients are killed again and again; a ledger holds all against all."""
    seed = int(os.environ.get("COGYARD_KILLS_SEED") or random.randrange(10**6))  # noqa: S311 - as below
    chance = random.Random(seed)  # noqa: S311 - a test's own chance
    stopped.settings |= {"webhook_http": "true", "webhook_private": "true", "port": str(free_port())}
    told = stopped.start()
    body = "for part in ('a', 'b', 'c'):\n    time.sleep(0.004)\n    yield f'{text}{part}'"
    version = stopped.push(model(body, inputs="text: str", output="ConcatenateIterator[str]"), "kills")
    stopped.run(version, text="warm")
    killed: dict[str, int] = {}
    with receiving(chance) as receiver:
        clients = Clients(stopped, receiver.url, tmp_path, told["address"], {"version": version})
        try:
            for _ in range(CLIENTS):
                clients.begin()
            while sum(killed.values()) < KILLS:
                time.sleep(chance.uniform(0.1, 1.5))
                what = kill_one(stopped, clients, chance)
                killed[what] = killed.get(what, 0) + (what != "nobody")
        finally:
            clients.stop()
        # An instance that was killed many times in a row is started again after a pause; a restart forgets it.
        stopped.end(9)
        stopped.start()
        killed["platform"] = killed.get("platform", 0) + 1
        assert until_settled(stopped.data.database, patience=120 + 2 * KILLS), (seed, stopped.log[-4000:])
        verdict = judge(
            stopped.data.database,
            clients.accepted(),
            receiver.told,
            lambda text, output: bool(output == [f"{text}{part}" for part in "abc"]),
        )
    summary = f"\nseed {seed}, kills {killed}, {verdict.summary()}, failures {dict(verdict.reasons)}"
    print(summary)  # noqa: T201 - what a long run is made for
    warm = 1  # It asked for no webhook.
    assert not verdict.lost, (seed, verdict.lost)
    assert not verdict.wrong, (seed, verdict.wrong)
    assert not verdict.doubled, (seed, verdict.doubled)
    assert len(verdict.untold) == warm, (seed, verdict.untold)
    assert verdict.accepted > 3 * KILLS, (seed, verdict.summary())
    # A model server's own death fails what it ran, one at a time here; the platform's deaths fail nothing. What has not
    # run fails only when an instance was killed three times in a row before it was ready, or its worker in setup().
    assert verdict.ran <= killed.get("instance", 0), (seed, killed, verdict.reasons)
    assert verdict.ran == verdict.statuses["failed"] or killed.get("instance"), (
        seed,
        killed,
        verdict.reasons,
    )
