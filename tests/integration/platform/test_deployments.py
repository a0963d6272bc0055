"""Deployments on a real platform: instances that are kept, and releases that change under load."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx2
import pytest
from cogyard.compose.status import read_status
from cogyard.testing.images import TestImage

pytestmark = pytest.mark.xdist_group("platform")
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


def test_a_minimum_is_kept_although_nobody_asks(shared: Any, model: Model) -> None:
    """The instance is there before the first prediction, and goes when the deployment is switched off."""
    version = shared.push(model("return 'kept'"), "kept")
    _deploy(shared, "kept", "kept", version, min_instances=1)
    shared.wait_for(lambda: _phases(shared, version) == [READY])
    answer = shared.http.post(
        "/v1/deployments/tester/kept/predictions", json={"input": {}}, headers={"prefer": "wait=30"}
    )
    assert (answer.status_code, answer.json()["output"]) == (201, "kept")
    off = {"min_instances": 0, "max_instances": 0}
    shared.http.patch("/v1/deployments/tester/kept", json=off).raise_for_status()
    shared.wait_for(lambda: _phases(shared, version) == [])
    assert shared.http.delete("/v1/deployments/tester/kept").status_code == 204


def test_releases_change_under_load_and_no_request_is_dropped(shared: Any, model: Model) -> None:
    """Every prediction ends on the version it was asked of; after the last, only the current release has instances."""
    versions = [shared.push(model(f"time.sleep(0.05)\nreturn 'from {name}'"), "roll") for name in "ab"]
    said = dict(zip(versions, ("from a", "from b"), strict=True))
    _deploy(shared, "roll", "roll", versions[0], min_instances=1)
    enough = Event()

    def ask() -> list[tuple[str, str, str]]:
        seen: list[tuple[str, str, str]] = []
        headers = {"authorization": f"Bearer {shared.token}", "prefer": "wait=60"}
        with httpx2.Client(base_url=shared.http.base_url, headers=headers, timeout=90) as http:
            while not enough.is_set():
                answer = http.post("/v1/deployments/tester/roll/predictions", json={"input": {}})
                done = answer.raise_for_status().json()
                seen.append((done["version"], done["status"], done["output"]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(ask) for _ in range(3)]
        try:
            for version in (versions[1], versions[0], versions[1]):
                change = {"version": version}
                shared.http.patch("/v1/deployments/tester/roll", json=change).raise_for_status()
                shared.wait_for(lambda version=version: READY in _phases(shared, version))
            shared.http.post("/v1/deployments/tester/roll/rollback", json={}).raise_for_status()
            shared.wait_for(lambda: READY in _phases(shared, versions[0]))
        finally:
            enough.set()
        seen = [each for caller in callers for each in caller.result()]
    assert {version for version, _, _ in seen} == set(versions)
    assert all((status, output) == ("succeeded", said[version]) for version, status, output in seen)
    shared.wait_for(lambda: _phases(shared, versions[1]) == [])
    assert _phases(shared, versions[0]) == [READY]
    shared.http.patch(
        "/v1/deployments/tester/roll", json={"min_instances": 0, "max_instances": 0}
    ).raise_for_status()
