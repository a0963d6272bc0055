"""An image made by Cog, with coglet inside, hosted by the whole platform: pushed, then asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cogyard.instances.docker import NAME
from cogyard.instances.probe import probe_sandbox

from tests.coglet import cog_image
from tests.docker import Docker

pytestmark = pytest.mark.network


@pytest.fixture
def sandboxed(stopped: Any) -> Any:
    """Start a platform that runs models in sandboxes."""
    found = probe_sandbox()
    if found.reason is not None:
        pytest.skip(f"no sandboxes here: {found.reason}")
    stopped.settings["runtime"] = "sandbox"
    stopped.start()
    return stopped


@pytest.fixture
def contained(stopped: Any, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a platform that runs models in containers."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.config))
    stopped.settings["runtime"] = "docker"
    stopped.start()
    yield stopped
    stopped.close()
    for image in docker("images", "--quiet", NAME).stdout.decode().split():
        docker("rmi", "--force", image)


def _serve(platform: Any, isolated: str) -> None:
    """Push Cog's image and ask it: a file in by upload, a file out by address, what it printed, its metrics."""
    assert f"Models run isolated ({isolated})." in platform.log
    version = platform.push(cog_image(), "by-cog")
    shown = platform.http.get(f"/v1/models/tester/by-cog/versions/{version}").json()
    assert shown["cog_version"] == "0.23.1"
    assert set(shown["openapi_schema"]["components"]["schemas"]["Input"]["properties"]) == {"text", "file"}
    uploaded = platform.http.post("/v1/files", files={"content": ("a.txt", b" and me", "text/plain")}).json()
    done = platform.run(version, text="Alice", file=uploaded["urls"]["get"])
    assert done["status"] == "succeeded", (done, platform.log)
    assert "greeting" in done["logs"]
    assert done["metrics"]["predict_time"] >= 0
    assert platform.http.get(done["output"]).content == b"hello Alice and me"
    again = [platform.create(version, text=str(number)) for number in range(5)]
    outputs = [platform.until(each["id"])["output"] for each in again]
    assert [platform.http.get(each).text for each in outputs] == [f"hello {number}" for number in range(5)]
    refused = platform.http.post("/v1/predictions", json={"version": version, "input": {"text": 1}})
    assert refused.status_code == 422


def test_cogs_image_is_served_from_a_sandbox(sandboxed: Any) -> None:
    """Everything that a model's caller sees is as with an image of ours."""
    _serve(sandboxed, "sandbox")


@pytest.mark.docker
def test_cogs_image_is_served_from_a_container(contained: Any) -> None:
    """The same by Docker."""
    _serve(contained, "docker")
