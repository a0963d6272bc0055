"""Kills at random moments while deployments are released and trainings run: each prediction and training ends once.

`COGYARD_KILLS=100 pytest -s tests/integration/platform/test_kills_of_releases.py` runs as many kills with each runtime
and prints the summaries; `-k sandbox` takes one of them, `COGYARD_KILLS_SEED` repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.testing.images import TestImage, make_image
from cogyard.testing.whole_images import make_whole_image

from tests.docker import Docker
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500 + 30 * int(os.environ.get("COGYARD_KILLS", "8"))),
]

INSTANCES = 5
SOURCE = """
import time
import cog

class Predictor(cog.BasePredictor):
    def predict(self, text: str) -> str:
        time.sleep(0.01)
        return text + "NAME"

def train(text: str) -> cog.Path:
    time.sleep(0.2)
    path = cog.Path("learned.txt")
    path.write_text(text)
    return path
"""


def _versions(database: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return {f"tester/tuned:{row[0]}" for row in db.execute("SELECT id FROM versions")}


def _made(database: Path) -> list[str]:
    """Return the versions that trainings say they made."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        sql = (
            "SELECT json_extract(output, '$.version') FROM predictions"
            " WHERE kind = 'training' AND status = 'succeeded'"
        )
        return [row[0] for row in db.execute(sql)]


def _image(platform: Any, name: str) -> TestImage:
    source, cog = SOURCE.replace("NAME", name), {"train": "predict.py:train"}
    if platform.settings["runtime"] == "process":
        return make_image(source, python=platform.python, cog=cog)
    return make_whole_image(source, cog=cog)


def _furnish(platform: Any) -> tuple[str, str]:
    """Push two versions, deploy the first, and make a model for trainings; return the versions."""
    one, two = [platform.push(_image(platform, name), "base") for name in "ab"]
    deployment = {
        "name": "front",
        "model": "tester/base",
        "version": one,
        "hardware": "cpu",
        "min_instances": 0,
        "max_instances": 1,
    }
    platform.http.post("/v1/deployments", json=deployment).raise_for_status()
    body = {"owner": "tester", "name": "tuned", "visibility": "private", "hardware": "cpu"}
    platform.http.post("/v1/models", json=body).raise_for_status()
    return one, two


# Without a number asked for, the runtime that is taken by default stands for all: each takes about a minute.
@pytest.mark.parametrize("runtime", RUNTIMES if "COGYARD_KILLS" in os.environ else RUNTIMES[1:2])
def test_releases_and_trainings_survive_kills(
    runtime: str, engine: Docker | None, temporary: Path, stopped: Any, tmp_path: Path
) -> None:
    """A ledger holds all against all; what a training says it made is there, and no two made the same.

    Once the platform has stopped, nothing of any instance is left on the machine.
    """
    kills = kills_with(runtime)
    seed = int(os.environ.get("COGYARD_KILLS_SEED") or random.randrange(10**6))  # noqa: S311 - as below
    chance = random.Random(seed)  # noqa: S311 - a test's own chance
    stopped.settings |= {
        "webhook_http": "true",
        "webhook_private": "true",
        "port": str(free_port()),
        "max_instances": str(INSTANCES),
        "runtime": runtime,
    }
    told = stopped.start()
    versions = _furnish(stopped)
    killed: Counter[str] = Counter()
    with receiving(chance) as receiver:
        where = (stopped, receiver.url, tmp_path, told["address"])
        askers = Clients(*where, {}, path="/v1/deployments/tester/front/predictions")
        trainings = f"/v1/models/tester/base/versions/{versions[0]}/trainings"
        trainers = Clients(*where, {"destination": "tester/tuned"}, path=trainings, pause=10, first=1000)
        try:
            for clients, count in ((askers, 2), (trainers, 2)):
                for _ in range(count):
                    clients.begin()
            while sum(killed.values()) < kills:
                time.sleep(chance.uniform(0.3, 2.0))
                try:
                    change = {"version": chance.choice(versions)}
                    stopped.http.patch("/v1/deployments/tester/front", json=change)
                except httpx2.HTTPError:
                    pass  # An instance that was killed took nothing with it; the next release will do.
                what = kill_one(stopped, chance.choice((askers, trainers)), chance)
                killed[what] += what != "nobody"
            # On a busy machine little comes of it between two kills.
            stopped.wait_for(lambda: len(askers.accepted()) > kills and _made(stopped.data.database))
        finally:
            askers.stop()
            trainers.stop()
        # An instance that was killed many times in a row is started again after a pause; a restart forgets it.
        stopped.end(9)
        stopped.start()
        killed["platform"] += 1
        database = stopped.data.database
        assert until_settled(database, patience=150 + 3 * kills), (seed, stopped.log[-4000:])
        known = _versions(database)
        stopped.end(signal.SIGINT)
        left = leftovers(stopped, temporary, engine)
        verdict = judge(
            database,
            askers.accepted(),
            receiver.told,
            lambda text, output: (
                output["version"] in known if isinstance(output, dict) else output in {text + "a", text + "b"}
            ),
        )
    made = _made(database)
    counted = f"{verdict.summary()}, failures {dict(verdict.reasons)}, versions made {len(made)}"
    summary = f"\n{runtime}, seed {seed}, kills {dict(killed)}, {counted}, left {left}"
    print(summary)  # noqa: T201 - what a long run is made for
    assert not verdict.lost, (seed, verdict.lost)
    assert not verdict.wrong, (seed, verdict.wrong)
    assert not verdict.doubled, (seed, verdict.doubled)
    assert not verdict.untold, (seed, verdict.untold)
    assert len(made) == len(set(made)), (seed, made)
    assert made, (seed, verdict.summary())
    assert verdict.accepted > kills, (seed, verdict.summary())
    # Each instance that is killed runs one thing, and so does each that dies with the platform; whatever else has not
    # ended well never ran.
    most = killed["instance"] + INSTANCES * killed["platform"]
    assert verdict.ran <= most, (seed, killed, verdict.reasons)
    assert not any(left.values()), (seed, left)
