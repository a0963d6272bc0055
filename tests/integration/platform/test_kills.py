"""Kills at random moments under load: every accepted prediction ends, once, with its own output, and is told once.

`COGYARD_KILLS=300 pytest -s tests/integration/platform/test_kills.py` runs as many kills with each runtime and prints
the summaries; `-k sandbox` takes one of them, `COGYARD_KILLS_SEED` repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cogyard.testing.images import TestImage, make_image
from cogyard.testing.whole_images import make_whole_image

from tests.docker import Docker
from tests.integration.platform.conftest import PYTHON, source_of
from tests.integration.platform.killing import (
    RUNTIMES,
    Clients,
    judge,
    kill_one,
    kills_with,
    receiving,
    until_settled,
)
from tests.integration.platform.leftovers import leftovers
from tests.live import free_port

CLIENTS = 3
SOURCE = source_of(
    "for part in ('a', 'b', 'c'):\n    time.sleep(0.004)\n    yield f'{text}{part}'",
    inputs="text: str",
    output="ConcatenateIterator[str]",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400 + 30 * int(os.environ.get("COGYARD_KILLS", "8")))]


def _image(runtime: str) -> TestImage:
    return make_image(SOURCE, python=PYTHON) if runtime == "process" else make_whole_image(SOURCE)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_is_lost_and_nothing_ends_twice(
    runtime: str, engine: Docker | None, temporary: Path, stopped: Any, tmp_path: Path
) -> None:
    """Platform, model servers, workers and clients are killed again and again; a ledger holds all against all.

    Once the platform has stopped, nothing of any instance is left on the machine.
    """
    kills = kills_with(runtime)
    seed = int(os.environ.get("COGYARD_KILLS_SEED") or random.randrange(10**6))  # noqa: S311 - as below
    chance = random.Random(seed)  # noqa: S311 - a test's own chance
    stopped.settings |= {
        "webhook_http": "true",
        "webhook_private": "true",
        "port": str(free_port()),
        "runtime": runtime,
    }
    told = stopped.start()
    version = stopped.push(_image(runtime), "kills")
    stopped.run(version, text="warm")
    killed: dict[str, int] = {}
    with receiving(chance) as receiver:
        clients = Clients(stopped, receiver.url, tmp_path, told["address"], {"version": version})
        try:
            for _ in range(CLIENTS):
                clients.begin()
            while sum(killed.values()) < kills:
                time.sleep(chance.uniform(0.1, 1.5))
                what = kill_one(stopped, clients, chance)
                killed[what] = killed.get(what, 0) + (what != "nobody")
            # On a busy machine clients come to little between two kills.
            stopped.wait_for(lambda: len(clients.accepted()) > 3 * kills)
        finally:
            clients.stop()
        # An instance that was killed many times in a row is started again after a pause; a restart forgets it.
        stopped.end(9)
        stopped.start()
        killed["platform"] = killed.get("platform", 0) + 1
        assert until_settled(stopped.data.database, patience=120 + 2 * kills), (seed, stopped.log[-4000:])
        stopped.end(signal.SIGINT)
        left = leftovers(stopped, temporary, engine)
        verdict = judge(
            stopped.data.database,
            clients.accepted(),
            receiver.told,
            lambda text, output: bool(output == [f"{text}{part}" for part in "abc"]),
        )
    counted = f"{verdict.summary()}, failures {dict(verdict.reasons)}"
    summary = f"\n{runtime}, seed {seed}, kills {killed}, {counted}, left {left}"
    print(summary)  # noqa: T201 - what a long run is made for
    warm = 1  # It asked for no webhook.
    assert not verdict.lost, (seed, verdict.lost)
    assert not verdict.wrong, (seed, verdict.wrong)
    assert not verdict.doubled, (seed, verdict.doubled)
    assert len(verdict.untold) == warm, (seed, verdict.untold)
    assert verdict.accepted > 3 * kills, (seed, verdict.summary())
    # A model server's own death fails what it ran, one at a time here; the platform's deaths fail nothing. What has not
    # run fails only when an instance was killed three times in a row before it was ready, or its worker in setup().
    assert verdict.ran <= killed.get("instance", 0), (seed, killed, verdict.reasons)
    assert verdict.ran == verdict.statuses["failed"] or killed.get("instance"), (
        seed,
        killed,
        verdict.reasons,
    )
    assert not any(left.values()), (seed, left)
