"""A worker never outlives its server."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

#: What the contract allows, in seconds, and some for a busy machine.
LIMIT = 1.0 + 20.0

SYNC = """
import subprocess, time
class Predictor:
    def predict(self) -> str:
        child = subprocess.Popen(["sleep", "60"])
        open("child", "w").write(str(child.pid))
        {wait}
        return "x"
"""
ASYNC = """
import asyncio, subprocess, time
class Predictor:
    async def predict(self) -> str:
        child = subprocess.Popen(["sleep", "60"])
        open("child", "w").write(str(child.pid))
        {wait}
        return "x"
"""


def alive(pid: int) -> bool:
    """Say whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    "source",
    [
        SYNC.format(wait="time.sleep(60)"),
        SYNC.format(wait="\n        while True: pass"),
        SYNC.format(wait="\n        try: time.sleep(60)\n        except BaseException: time.sleep(60)"),
        ASYNC.format(wait="await asyncio.sleep(60)"),
        ASYNC.format(wait="time.sleep(60)"),
    ],
    ids=["sleeping", "busy", "stubborn", "async", "async that blocks"],
)
def test_a_busy_worker_and_its_children_end(start: Any, source: str) -> None:
    """The socket closes in the middle of a prediction: the worker and what it started are gone within a second."""
    worker = start(source)
    worker.ready()
    worker.predict(1)
    child = int(worker.wait_for("child"))
    assert alive(child)
    began = time.monotonic()
    worker.socket.close()
    worker.wait(LIMIT)
    while alive(child):
        assert time.monotonic() - began < LIMIT
        time.sleep(0.01)


@pytest.mark.parametrize("word", ["", "async "])
def test_an_idle_worker_tears_down_and_ends(start: Any, word: str) -> None:
    """The socket closes while nothing runs: teardown() is called, and the worker ends by itself."""
    worker = start(f"""
    class Predictor:
        {word}def predict(self) -> str: return "x"
        {word}def teardown(self): open("down", "w").write("yes")
    """)
    worker.ready()
    worker.output(1)
    worker.socket.close()
    assert worker.wait(LIMIT) == 0
    assert worker.wait_for("down", seconds=0.1) == "yes"


def test_a_worker_in_setup_ends(start: Any) -> None:
    """The server goes away during setup(): so does the worker."""
    worker = start("""
    import time
    class Predictor:
        def setup(self):
            open("started", "w").write("yes")
            time.sleep(60)
        def predict(self) -> str: return "x"
    """)
    worker.wait_for("started")
    worker.socket.close()
    worker.wait(LIMIT)


def test_a_worker_that_does_not_lead_its_group_ends_alone(start: Any) -> None:
    """Only a group of its own is ended: the test's own process is still here afterwards."""
    assert os.getpgrp() != 0
    worker = start(SYNC.format(wait="time.sleep(60)"))
    worker.ready()
    worker.socket.close()
    worker.wait(LIMIT)
