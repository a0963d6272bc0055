"""Deployments on a real platform: instances that are kept, and releases that change under load."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
from cogyard.compose.status import read_status
from cogyard.testing.images import TestImage

Model = Callable[..., TestImage]
READY = "ready"


def _deploy(platform: Any, name: str, model: str, version: str, **more: int) -> None:
    body = {"min_instances": 0, "max_instances": 1, **more}
    platform.http.post(
        "/v1/deployments",
        json={"name": name, "model": f"tester/{model}", "version": version, "hardware": "cpu", **body},
    ).raise_for_status()


def _phases(platform: Any, version: str) -> list[str]:
    """Return the phases of the instances that a deployment has of a version."""
    found = read_status(platform.data.status_file).get("instances", [])
    return [each["phase"] for each in found if each["deployable"].startswith(f"{version}@")]


def test_a_minimum_is_kept_although_nobody_asks(shared_platform: Any, model: Model) -> None:
    """The instance is there before the first prediction, and goes when the deployment is switched off."""
    version = shared_platform.push(model("return 'kept'"), "kept")
    _deploy(shared_platform, "kept", "kept", version, min_instances=1)
    shared_platform.wait_for(lambda: _phases(shared_platform, version) == [READY])
    answer = shared_platform.http.post(
        "/v1/deployments/tester/kept/predictions", json={"input": {}}, headers={"prefer": "wait=30"}
    )
    assert (answer.status_code, answer.json()["output"]) == (201, "kept")
    off = {"min_instances": 0, "max_instances": 0}
    shared_platform.http.patch("/v1/deployments/tester/kept", json=off).raise_for_status()
    shared_platform.wait_for(lambda: _phases(shared_platform, version) == [])
    assert shared_platform.http.delete("/v1/deployments/tester/kept").status_code == 204


def _ask(platform: Any, name: str) -> tuple[str, str, str]:
    """Ask and wait; return version, status, output."""
    answer = platform.http.post(
        f"/v1/deployments/tester/{name}/predictions", json={"input": {}}, headers={"prefer": "wait=60"}
    )
    done = answer.raise_for_status().json()
    return (done["version"], done["status"], done["output"])


def test_the_old_release_serves_until_the_new_one_is_ready(
    shared_platform: Any, model: Model, tmp_path: Path
) -> None:
    """Nobody waits for the new one's setup(), which takes as long as this test wants; then the new one serves."""
    gate = tmp_path / "open"
    waits = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.02)"
    old, new = (
        shared_platform.push(model("return 'old'"), "gated"),
        shared_platform.push(model("return 'new'", setup=f"import os\n{waits}"), "gated"),
    )
    _deploy(shared_platform, "gated", "gated", old)
    assert _ask(shared_platform, "gated") == (old, "succeeded", "old")
    path = "/v1/deployments/tester/gated"
    changed = shared_platform.http.patch(path, json={"version": new}).raise_for_status().json()
    assert changed["current_release"]["version"] == new
    assert changed["rollout"] == {"awaited": [new], "serving": old, "failing": []}
    shared_platform.wait_for(lambda: _phases(shared_platform, new) == ["starting"])
    for _ in range(5):
        assert _ask(shared_platform, "gated") == (old, "succeeded", "old")
    gate.touch()
    shared_platform.wait_for(lambda: "rollout" not in shared_platform.http.get(path).json())
    for _ in range(5):
        assert _ask(shared_platform, "gated") == (new, "succeeded", "new")
    shared_platform.wait_for(lambda: _phases(shared_platform, old) == [])
    shared_platform.http.patch(path, json={"min_instances": 0, "max_instances": 0}).raise_for_status()


def test_a_release_that_cannot_start_serves_nobody(shared_platform: Any, model: Model) -> None:
    """The old one goes on, the deployment says what it waits for, and a rollback ends that."""
    good = shared_platform.push(model("return 'good'"), "brittle")
    bad = shared_platform.push(model("return 'bad'", setup="raise ValueError('broken')"), "brittle")
    _deploy(shared_platform, "brittle", "brittle", good)
    assert _ask(shared_platform, "brittle") == (good, "succeeded", "good")
    path = "/v1/deployments/tester/brittle"
    shared_platform.http.patch(path, json={"version": bad}).raise_for_status()
    shared_platform.wait_for(
        lambda: any(bad in line and "instance_ended" in line for line in shared_platform.log.splitlines())
    )
    rollout = shared_platform.http.get(path).json()["rollout"]
    assert (rollout["awaited"], rollout["serving"]) == ([bad], good)
    assert _ask(shared_platform, "brittle") == (good, "succeeded", "good")
    back = shared_platform.http.post(f"{path}/rollback", json={}).raise_for_status().json()
    assert "rollout" not in back
    assert _ask(shared_platform, "brittle") == (good, "succeeded", "good")
    shared_platform.http.patch(path, json={"min_instances": 0, "max_instances": 0}).raise_for_status()


def test_a_rollout_survives_kills(platform: Any, model: Model, tmp_path: Path) -> None:
    """Killed in the middle, again and again, the platform goes on with it: the old release serves until the end."""
    gate = tmp_path / "gate"
    slow = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)"
    old = platform.push(model("return 'old'"), "lasting")
    new = platform.push(model("return 'new'", setup=slow), "lasting")
    _deploy(platform, "lasting", "lasting", old)
    assert _ask(platform, "lasting") == (old, "succeeded", "old")
    path = "/v1/deployments/tester/lasting"
    platform.http.patch(path, json={"version": new}).raise_for_status()
    for _ in range(2):
        platform.end(signal.SIGKILL)
        platform.start()
        assert platform.http.get(path).json()["rollout"] == {"awaited": [new], "serving": old, "failing": []}
        assert _ask(platform, "lasting") == (old, "succeeded", "old")
    gate.touch()
    platform.wait_for(lambda: "rollout" not in platform.http.get(path).json())
    assert _ask(platform, "lasting") == (new, "succeeded", "new")
    platform.wait_for(lambda: _served(platform) == [2])
    platform.end(signal.SIGKILL)
    platform.start()
    assert "rollout" not in platform.http.get(path).json(), "one that has ended does not begin again"
    assert _ask(platform, "lasting") == (new, "succeeded", "new")


def test_a_failed_rollout_says_so_after_a_kill(platform: Any, model: Model) -> None:
    """The release that cannot start is named, and the one before it serves, also after the platform came back."""
    good = platform.push(model("return 'good'"), "fragile")
    bad = platform.push(model("return 'bad'", setup="raise RuntimeError('no weights')"), "fragile")
    _deploy(platform, "fragile", "fragile", good)
    assert _ask(platform, "fragile") == (good, "succeeded", "good")
    path = "/v1/deployments/tester/fragile"
    platform.http.patch(path, json={"version": bad}).raise_for_status()
    platform.end(signal.SIGKILL)
    platform.start()
    assert _ask(platform, "fragile") == (good, "succeeded", "good")
    platform.wait_for(lambda: platform.http.get(path).json()["rollout"]["failing"] == [bad])
    assert platform.http.get(path).json()["rollout"]["serving"] == good
    platform.http.post(f"{path}/rollback", json={}).raise_for_status()
    assert "rollout" not in platform.http.get(path).json()
    assert _ask(platform, "fragile") == (good, "succeeded", "good")


def _served(platform: Any) -> list[int]:
    """Return which release of each deployment is kept as the one that serves."""
    with closing(sqlite3.connect(f"file:{platform.data.database}?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute("SELECT served FROM deployments ORDER BY id")]


def test_releases_change_under_load_and_no_request_is_dropped(shared_platform: Any, model: Model) -> None:
    """Every prediction ends on the version it was asked of; after the last, only the current release has instances."""
    versions = [
        shared_platform.push(model(f"time.sleep(0.05)\nreturn 'from {name}'"), "roll") for name in "ab"
    ]
    said = dict(zip(versions, ("from a", "from b"), strict=True))
    _deploy(shared_platform, "roll", "roll", versions[0], min_instances=1)
    enough = Event()

    def ask() -> list[tuple[str, str, str]]:
        seen: list[tuple[str, str, str]] = []
        headers = {"authorization": f"Bearer {shared_platform.token}", "prefer": "wait=60"}
        with httpx2.Client(base_url=shared_platform.http.base_url, headers=headers, timeout=90) as http:
            while not enough.is_set():
                answer = http.post("/v1/deployments/tester/roll/predictions", json={"input": {}})
                done = answer.raise_for_status().json()
                seen.append((done["version"], done["status"], done["output"]))
        return seen

    def switched(version: str) -> bool:
        return _ask(shared_platform, "roll")[0] == version

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(ask) for _ in range(3)]
        try:
            for version in (versions[1], versions[0], versions[1]):
                change = {"version": version}
                shared_platform.http.patch("/v1/deployments/tester/roll", json=change).raise_for_status()
                shared_platform.wait_for(lambda version=version: switched(version))
            shared_platform.http.post("/v1/deployments/tester/roll/rollback", json={}).raise_for_status()
            shared_platform.wait_for(lambda: switched(versions[0]))
        finally:
            enough.set()
        seen = [each for caller in callers for each in caller.result()]
    assert {version for version, _, _ in seen} == set(versions)
    assert all((status, output) == ("succeeded", said[version]) for version, status, output in seen)
    shared_platform.wait_for(lambda: _phases(shared_platform, versions[1]) == [])
    assert _phases(shared_platform, versions[0]) == [READY]
    shared_platform.http.patch(
        "/v1/deployments/tester/roll", json={"min_instances": 0, "max_instances": 0}
    ).raise_for_status()
