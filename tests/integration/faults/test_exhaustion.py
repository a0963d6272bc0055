"""What runs out comes back: descriptors, the temporary folder; the server waits for it and goes on."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from cog_server.workers import supervisor
from cog_server.workers.health import Health
from cog_server.workers.process import WorkerCommand, WorkerProcess

from tests.integration.faults.census import take, worker_of
from tests.integration.faults.servers import started
from tests.integration.model_server.live import Server

FEW = 60


def crowd(server: Server) -> list[socket.socket]:
    """Take every descriptor that the server may still have."""
    lines: list[socket.socket] = []
    while len(lines) < FEW + 40:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(0.2)
        try:
            line.connect(str(server.uds))
            line.send(b"GET /")
        except OSError:
            line.close()
            break
        lines.append(line)
    return lines


def test_more_clients_than_descriptors(project: Path) -> None:
    """Clients that keep every descriptor busy hold others up while they stay, and no longer; nothing dies of it."""
    with started(project, "frail.py:Frail") as server:
        worker = worker_of(server.process.pid)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        for _ in range(2):
            for line in crowd(server):
                line.close()
            server.client.close()
            transport = httpx2.HTTPTransport(uds=str(server.uds))
            server.client = httpx2.Client(transport=transport, base_url="http://model", timeout=30)
            assert server.result({"text": "again"})["output"] == ["again"]
        assert worker_of(server.process.pid) == worker
        assert take(server.process.pid, server.folder / "tmp").descriptors < FEW // 2 + 10
        server.client.close()


def test_a_worker_dies_while_there_are_no_descriptors(project: Path) -> None:
    """A new worker needs some; it comes when there are some again, however long that takes."""
    with started(project, "frail.py:Frail") as server:
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        now = take(server.process.pid, server.folder / "tmp").descriptors
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (now - 8, limits[1]))
        worker = worker_of(server.process.pid)
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        server.until(server.log.read_text, lambda text: text.count("cannot be started") >= 3)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
        server.wait_for("READY", seconds=30)
        assert server.result({"text": "again"})["output"] == ["again"]


class Nobody:
    """Hears of the worker and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self.nothing

    def nothing(self, *_: object) -> None:
        """Do nothing."""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("number", "health"),
    [(errno.EMFILE, Health.STARTING), (errno.ENOMEM, Health.STARTING), (errno.ENOENT, Health.DEFUNCT)],
)
async def test_scarcity_is_no_reason_to_give_up(
    number: int, health: Health, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has no room for a process now may have it in an hour; a Python that is gone stays gone."""

    def refuse(_: WorkerCommand) -> WorkerProcess:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(supervisor, "spawn", refuse)
    command = WorkerCommand(python=Path(sys.executable), project=project, ref="frail.py:Frail")
    found = supervisor.Supervisor(command, Nobody())
    found._ever_ready = True
    for _ in range(20):
        await found.start()
    assert found.health is health
    await found.close()


def test_a_temporary_folder_that_was_cleaned_away_is_made_again(project: Path) -> None:
    """A machine's cleaner of old files may take the server's own folder; later predictions get new ones."""
    with started(project, "frail.py:Files") as server:
        for _ in range(3):
            assert server.result({"count": 1})["status"] == "succeeded"
            server.until(server.folders, lambda left: left == [])
            for root in (server.folder / "tmp").glob("cogyard-*"):
                shutil.rmtree(root)
            found = server.result({"count": 2})
            assert (found["status"], found["error"]) == ("succeeded", None)
