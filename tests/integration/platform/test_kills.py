"""Kills at random moments under load: every accepted prediction ends, once, with its own output."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import Any

import httpx2
import pytest

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.slow]

ROUNDS = 4
REQUESTS = 60


def test_nothing_is_lost_and_nothing_ends_twice(stopped: Any, model: Any) -> None:
    """The platform and its model servers are killed again and again while clients ask; a checker reads it all."""
    seed = random.randrange(10**6)  # noqa: S311 - as below
    chance = random.Random(seed)  # noqa: S311 - a test's own chance
    stopped.start()
    body = "for part in ('a', 'b', 'c'):\n    time.sleep(0.02)\n    yield f'{text}{part}'"
    version = stopped.push(model(body, inputs="text: str", output="ConcatenateIterator[str]"), "kills")
    accepted: dict[str, str] = {}
    killed: list[str] = []
    for _ in range(ROUNDS):
        asking = threading.Thread(target=_ask, args=(stopped, version, accepted))
        asking.start()
        time.sleep(chance.uniform(0.3, 2.0))
        if chance.random() < 0.3 and (found := stopped.instances()):
            os.kill(chance.choice(found), signal.SIGKILL)
            killed.append("instance")
            asking.join()
            continue
        stopped.end(signal.SIGKILL)
        killed.append("platform")
        asking.join()
        stopped.start()
    ended = {prediction: stopped.until(prediction) for prediction in accepted}
    lost = {name: found for name, found in ended.items() if found["status"] not in {"succeeded", "failed"}}
    assert not lost, (seed, lost)
    for prediction, text in accepted.items():
        found = ended[prediction]
        if found["status"] == "succeeded":
            assert found["output"] == [f"{text}{part}" for part in "abc"], (seed, found)
        else:
            # Only a model server's own death may fail what it ran; the platform's never does.
            assert "instance" in killed, (seed, found)
            assert "killed" in found["error"] or "ended unexpectedly" in found["error"], (seed, found)
    assert len(accepted) > REQUESTS, (seed, len(accepted))
    assert {name: stopped.get(name)["completed_at"] for name in accepted} == {
        name: found["completed_at"] for name, found in ended.items()
    }


def _ask(platform: Any, version: str, accepted: dict[str, str]) -> None:
    """Ask until the platform is gone; note what was accepted."""
    headers = {"authorization": f"Bearer {platform.token}"}
    with httpx2.Client(base_url=platform.http.base_url, headers=headers, timeout=10) as http:
        for number in range(REQUESTS):
            text = f"{len(accepted)}-{number}-"
            try:
                answer = http.post("/v1/predictions", json={"version": version, "input": {"text": text}})
            except httpx2.HTTPError:
                return
            if answer.status_code == 201:
                accepted[answer.json()["id"]] = text
