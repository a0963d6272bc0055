"""A model that wants more memory than there is fails alone."""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.faults.census import worker_of
from tests.integration.faults.servers import started


def test_memory_that_is_refused_fails_the_prediction(project: Path) -> None:
    """A MemoryError is an exception like any other: the traceback is in the logs, the same worker goes on."""
    with started(project, "frail.py:Frail") as server:
        before = worker_of(server.process.pid)
        for _ in range(3):
            found = server.result({"mode": "memory"})
            assert (found["status"], found["error"]) == ("failed", "MemoryError")
            assert "MemoryError" in found["logs"]
            assert "take_memory" in found["logs"]
        assert server.result({"text": "again"})["output"] == ["again"]
        assert worker_of(server.process.pid) == before


def test_a_process_that_the_system_kills_is_told_as_likely_out_of_memory(project: Path) -> None:
    """The kernel kills with SIGKILL and says nothing; the error names what that most often means."""
    with started(project, "frail.py:Frail") as server:
        found = server.result({"mode": "die", "how": "kill"})
        assert "memory" in found["error"]
        server.wait_for("READY")


def test_a_great_output_without_memory_fails_alone(project: Path) -> None:
    """What the worker cannot even put into a frame fails the prediction, not the model."""
    with started(project, "frail.py:Frail") as server:
        server.result({"mode": "memory"})
        before = worker_of(server.process.pid)
        found = server.result({"text": "x", "mode": "huge", "count": 1})
        assert found["status"] == "failed"
        assert "Memory" in found["error"]
        assert server.result({"text": "again"})["output"] == ["again"]
        assert worker_of(server.process.pid) == before


def test_setup_without_memory_is_a_failed_setup(project: Path) -> None:
    """A model that does not fit says so; the server stays to tell."""
    (project / "fat.py").write_text(
        "import resource\n"
        "class Fat:\n"
        "    def setup(self):\n"
        "        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "        self.weights = bytearray(4 << 30)\n"
        "    def predict(self) -> str:\n"
        "        return ''\n"
    )
    with started(project, "fat.py:Fat", ready=False) as server:
        health = server.wait_for("SETUP_FAILED")
        assert "MemoryError" in health["setup"]["logs"]
        assert "MemoryError" in server.post({}).json()["detail"]
        assert os.path.exists(f"/proc/{server.process.pid}")  # noqa: PTH110 - a process, not a file
