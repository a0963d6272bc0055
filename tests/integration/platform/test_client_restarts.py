"""Our client, while the platform that it asks is killed and started again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cogyard.testing.images import TestImage
from replicate import Client

from tests.integration.platform.conftest import LivePlatform
from tests.live import free_port

GATED = """
yield "a "
while not os.path.exists({gate!r}):
    time.sleep(0.02)
yield "b"
"""


@pytest.fixture
def client(stopped: LivePlatform) -> Iterator[Client]:
    """Start the platform at an address that it keeps, and give a client of it."""
    stopped.settings["port"] = str(free_port())
    address = stopped.start()["address"]
    with Client(stopped.token, base_url=address, poll_interval=0.05) as client:
        assert client.accounts.current().username == "tester"  # it is waited for longer once it has answered
        yield client


@pytest.mark.parametrize("wait", [True, False])
def test_a_run_outlasts_a_kill(
    stopped: LivePlatform, client: Client, model: Callable[..., TestImage], tmp_path: Path, *, wait: bool
) -> None:
    """Held or asked for again and again, it returns what the model gave after the platform was back."""
    gate = tmp_path / "gate"
    body = GATED.format(gate=str(gate))
    version = stopped.push(model(body, output="ConcatenateIterator[str]", idempotent=True), "gated")

    def run() -> Any:
        return client.run("tester/gated", input={}, wait=wait)

    with ThreadPoolExecutor() as pool:
        running = pool.submit(run)
        stopped.wait_for(lambda: [item for item in client.predictions.list() if item.status == "processing"])
        stopped.end(signal.SIGKILL)
        stopped.start()
        gate.touch()
        assert running.result(60) == ["a ", "b"]
    assert [item.version for item in client.predictions.list()] == [version]


def test_a_create_waits_for_a_platform_that_comes_back(
    stopped: LivePlatform, client: Client, model: Callable[..., TestImage]
) -> None:
    """It was away when it was asked: the create is sent again, and runs once."""
    stopped.push(model("return 'here'"), "here")
    stopped.end(signal.SIGKILL)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(client.run, "tester/here", input={})
        stopped.start()
        assert running.result(60) == "here"
    assert len(client.predictions.list()) == 1
