"""Kills at random moments under load: every accepted prediction ends, once, with its own output, and is told once.

Half of the clients ask a model that was declared idempotent: what it had begun runs again. The other half ask one that
was not: no kill lets it begin a prediction twice, as the models themselves write down where they can reach a file.

`COGYARD_KILLS=300 pytest -s tests/integration/platform/test_kills.py` runs as many kills with each runtime and prints
the summaries; `-k sandbox` takes one of them, `COGYARD_KILLS_SEED` repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
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

#: Of each model.
CLIENTS = 2
#: The numbers of the other model's clients begin after this, and their predictions' texts with their numbers.
SECOND = 1000
#: How often a model sees a prediction before it is given up.
ATTEMPTS = 3
#: How many instances there may be, and how many predictions one kill of the platform may interrupt.
INSTANCES = 2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400 + 30 * int(os.environ.get("COGYARD_KILLS", "8")))]


def _image(runtime: str, record: Path, *, idempotent: bool) -> TestImage:
    # Only a model that is not isolated can write where a test reads.
    noted = f"with open({str(record)!r}, 'a') as record:\n    print(text, file=record)\n"
    body = "for part in ('a', 'b', 'c'):\n    time.sleep(0.004)\n    yield f'{text}{part}'"
    source = source_of(
        noted + body if runtime == "process" else body,
        inputs="text: str",
        output="ConcatenateIterator[str]",
        idempotent=idempotent,
    )
    return make_image(source, python=PYTHON) if runtime == "process" else make_whole_image(source)


def _begun(record: Path) -> Counter[str]:
    """Return how often the models began what, as they wrote it down; a kill may cut a line off."""
    return Counter(record.read_text().splitlines()) if record.exists() else Counter()


def _is_idempotent(text: str) -> bool:
    number = text.partition("-")[0]
    return number.isdigit() and int(number) > SECOND


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
        "max_instances": str(INSTANCES),
    }
    told = stopped.start()
    record = tmp_path / "record"
    versions = [
        stopped.push(_image(runtime, record, idempotent=each), ("kills", "kills-again")[each])
        for each in (False, True)
    ]
    for version in versions:
        stopped.run(version, text="warm")
    killed: dict[str, int] = {}
    with receiving(chance) as receiver:
        where = (stopped, receiver.url, tmp_path, told["address"])
        groups = [
            Clients(*where, {"version": version}, first=first)
            for version, first in zip(versions, (0, SECOND), strict=True)
        ]
        try:
            for clients in groups:
                for _ in range(CLIENTS):
                    clients.begin()
            while sum(killed.values()) < kills:
                time.sleep(chance.uniform(0.1, 1.5))
                what = kill_one(stopped, chance.choice(groups), chance)
                killed[what] = killed.get(what, 0) + (what != "nobody")
            # On a busy machine clients come to little between two kills.
            stopped.wait_for(lambda: len(groups[0].accepted()) > 3 * kills)
        finally:
            for clients in groups:
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
            groups[0].accepted(),
            receiver.told,
            lambda text, output: bool(output == [f"{text}{part}" for part in "abc"]),
        )
    begun = _begun(record)
    del begun["warm"]
    twice = [text for text, times in begun.items() if times > 1 and not _is_idempotent(text)]
    again = sum(times > 1 for text, times in begun.items() if _is_idempotent(text))
    counted = f"{verdict.summary()}, failures {dict(verdict.reasons)}, begun {begun.total()}, again {again}"
    summary = f"\n{runtime}, seed {seed}, kills {killed}, {counted}, twice {len(twice)}, left {left}"
    print(summary)  # noqa: T201 - what a long run is made for
    warm = len(versions)  # They asked for no webhook.
    assert not twice, (seed, twice)
    assert not [text for text, times in begun.items() if times > ATTEMPTS], (seed, begun.most_common(3))
    assert not verdict.lost, (seed, verdict.lost)
    assert not verdict.wrong, (seed, verdict.wrong)
    assert not verdict.doubled, (seed, verdict.doubled)
    assert len(verdict.untold) == warm, (seed, verdict.untold)
    assert verdict.accepted > 3 * kills, (seed, verdict.summary())
    # A kill fails at most what ran at that moment, of the model that may not run it again. What has not run fails only
    # when an instance was killed three times in a row before it was ready, or its worker in setup().
    interrupted = [text for text, (why, _) in verdict.failed.items() if why.startswith("Interrupted: ")]
    assert len(interrupted) <= INSTANCES * killed["platform"], (seed, killed, verdict.reasons)
    assert not any(map(_is_idempotent, interrupted)), (seed, interrupted)
    often = [seen for text, (_, seen) in verdict.failed.items() if _is_idempotent(text) and seen]
    # A run that ends before its start was stored is not counted.
    assert all(seen >= ATTEMPTS - 1 for seen in often), (seed, often, verdict.reasons)
    if not killed.get("instance"):
        assert len(interrupted) == verdict.statuses["failed"], (seed, verdict.reasons)
    assert not any(left.values()), (seed, left)
