"""The worker is killed at every moment of its life: who was running is told why, and the server goes on by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.integration.faults.census import children, state, take, worker_of
from tests.integration.faults.servers import started
from tests.integration.model_server.live import Received, Server, events, peer

HOW = {
    "kill": "killed by SIGKILL",
    "exit": "exit status 3",
    "segv": "killed by SIGSEGV",
    "abort": "killed by SIGABRT",
}
hows = pytest.mark.parametrize("how", list(HOW))


def killed(server: Server) -> int:
    """Kill the worker from outside and return its number."""
    pid = worker_of(server.process.pid)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def has_another(server: Server, old: int) -> bool:
    """Say whether another worker has taken the place of the old one."""
    return worker_of(server.process.pid) not in (None, old)


def is_whole(server: Server) -> None:
    """Check that the server came back by itself and left nothing behind."""
    server.wait_for("READY")
    assert server.result({"text": "again"})["output"] == ["again"]
    temporary = server.folder / "tmp"
    server.until(
        lambda: take(server.process.pid, temporary),
        lambda found: (found.processes, found.zombies, found.files) == (1, 0, 0),
    )
    assert server.metric("cog_predictions_running") == 0
    assert server.process.poll() is None


@hows
@pytest.mark.parametrize("mark", ["die-while-importing", "die-in-setup"])
def test_during_the_first_setup(project: Path, mark: str, how: str) -> None:
    """A model that dies before it was ever ready is a failed setup, told with the cause; the server stays."""
    (project / mark).write_text(how)
    with started(project, "frail.py:Frail", ready=False) as server:
        told = server.wait_for("SETUP_FAILED")["setup"].get("signal")
        assert told == {"kill": 9, "segv": 11, "abort": 6}.get(how), (
            "whoever started the server may try again"
        )
        answer = server.post({"text": "a"})
        assert answer.status_code == 503
        assert HOW[how] in answer.json()["detail"]
        assert children(server.process.pid) == []
        assert server.process.poll() is None


@hows
def test_during_a_later_setup(project: Path, how: str) -> None:
    """A model that was ready once is started again, even when a start dies, and what waited is answered."""
    with started(project, "frail.py:Frail") as server:
        (project / "hold-setup").touch()
        (project / "in-setup").unlink()
        killed(server)
        server.wait_for("STARTING")
        server.until((project / "in-setup").exists, bool)
        (project / "die-in-setup").write_text(how)
        killed(server)
        (project / "hold-setup").unlink()
        health = server.wait_for("READY")
        assert health["setup"]["status"] == "succeeded"
        assert not (project / "die-in-setup").exists()
        is_whole(server)


def test_while_idle(project: Path) -> None:
    """A worker that dies while nothing runs is replaced, and no prediction hears of it."""
    with started(project, "frail.py:Frail") as server:
        for _ in range(3):
            before = killed(server)
            server.until(partial(has_another, server, before), bool)
            is_whole(server)
        assert server.metric("cog_worker_restarts_total") == 3


@hows
@pytest.mark.parametrize("mode", ["die", "die-in-stream"])
def test_while_running(project: Path, mode: str, how: str) -> None:
    """The prediction that ran has failed with the cause, and what it gave until then is kept."""
    with started(project, "frail.py:Frail") as server:
        found = server.result({"mode": mode, "how": how, "count": 6, "text": "x"})
        assert (found["status"], found["output"]) == (
            "failed",
            ["x"] * 3 if mode == "die-in-stream" else None,
        )
        assert HOW[how] in found["error"]
        is_whole(server)


@hows
def test_while_a_stream_is_read(project: Path, how: str) -> None:
    """Every reader of a stream gets exactly one end, with the cause."""
    with started(project, "frail.py:Frail") as server:
        body = {"input": {"mode": "die-in-stream", "how": how, "count": 6, "text": "x"}}
        with server.client.stream(
            "POST", "/predictions", json=body, headers={"accept": "text/event-stream"}
        ) as response:
            found = events(response)
        ends = [data for _, name, data in found if name == "completed"]
        assert [(end["status"], HOW[how] in end["error"]) for end in ends] == [("failed", True)]
        assert [data["chunk"] for _, name, data in found if name == "output"] == ["x"] * 3
        is_whole(server)


@hows
def test_while_answering(project: Path, how: str) -> None:
    """A worker that dies in the middle of a large frame has given no answer; half a frame is nothing."""
    with started(project, "frail.py:Frail") as server:

        def freeze() -> None:
            # The server reads nothing for a while, so the frame cannot leave the worker before it dies.
            server.until((project / "in-setup").exists, bool)
            time.sleep(0.05)
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(0.6)
            os.kill(server.process.pid, signal.SIGCONT)

        thread = threading.Thread(target=freeze)
        thread.start()
        found = server.result({"mode": "big", "how": how, "count": 32 << 20, "seconds": 0.3})
        thread.join()
        assert found["status"] == "failed"
        assert HOW[how] in found["error"]
        assert found["output"] in ([], None) or len(found["output"][0]) == 32 << 20
        is_whole(server)


def test_while_canceling(project: Path) -> None:
    """A prediction whose worker dies after its cancel is canceled, once."""
    with started(project, "frail.py:Frail") as server:
        server.post({"mode": "stubborn", "seconds": 30}, id="held", headers={"prefer": "respond-async"})
        server.until((project / "dragging").exists, bool)
        assert server.client.post("/predictions/held/cancel").status_code == 200
        assert server.client.get("/predictions/held").json()["status"] == "processing"
        killed(server)
        found = server.until(
            lambda: server.client.get("/predictions/held").json(), lambda found: found["completed_at"]
        )
        assert (found["status"], found["error"]) == ("canceled", None)
        is_whole(server)


@hows
def test_while_its_files_are_sent(project: Path, how: str) -> None:
    """Files of a stream that are still on their way when the model dies: the prediction has failed, nothing stays."""
    with started(project, "frail.py:Files") as server, peer() as store:
        hold = threading.Event()

        def answer(_: Received) -> tuple[int, dict[str, str], bytes]:
            hold.wait(10)
            return 200, {}, b""

        store.answer = answer
        later = {"prefer": "respond-async"}
        body = {"count": 3, "how": how, "hold": 0.3}
        server.post(body, id="sending", output_file_prefix=store.url("/o/"), headers=later)
        found = server.until(
            lambda: server.client.get("/predictions/sending").json(), lambda found: found["completed_at"]
        )
        hold.set()
        assert found["status"] == "failed"
        assert HOW[how] in found["error"]
        server.wait_for("READY")
        server.until(server.folders, lambda left: left == [])
        assert server.result({"count": 1})["status"] == "succeeded"


def test_after_it_gave_its_files(project: Path) -> None:
    """A model that is done may die: its files are the server's, and the prediction succeeds."""
    with started(project, "frail.py:Files") as server, peer() as store:
        hold = threading.Event()

        def answer(_: Received) -> tuple[int, dict[str, str], bytes]:
            hold.wait(10)
            return 200, {}, b""

        store.answer = answer
        later = {"prefer": "respond-async"}
        server.post({"count": 3}, id="sending", output_file_prefix=store.url("/o/"), headers=later)
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 0)
        server.until(lambda: store.received or server.folders(), bool)
        killed(server)
        time.sleep(0.2)
        hold.set()
        found = server.until(
            lambda: server.client.get("/predictions/sending").json(), lambda found: found["completed_at"]
        )
        assert (found["status"], len(found["output"] or [])) == ("succeeded", 3)
        assert {len(one.body) for one in store.received} == {100_000}
        server.until(server.folders, lambda left: left == [])


def test_only_what_ran_on_it_fails(project: Path) -> None:
    """With several at a time all that ran fail, and what waits for a slot is not touched."""
    with started(project, "frail.py:FrailAsync") as server, ThreadPoolExecutor(32) as pool:
        slow = [pool.submit(server.result, {"mode": "sleep", "seconds": 20}) for _ in range(7)]
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 7)
        server.post({"mode": "sleep", "seconds": 0.5}, id="eighth", headers={"prefer": "respond-async"})
        waiting = [pool.submit(server.result, {"text": str(number)}) for number in range(5)]
        server.until(lambda: server.metric("cog_predictions_waiting"), lambda n: n == 5)
        killed(server)
        assert all("SIGKILL" in one.result()["error"] for one in slow)
        assert [one.result()["output"] for one in waiting] == [[str(number)] for number in range(5)]
        is_whole(server)


def test_a_stopped_worker_can_still_be_killed(project: Path) -> None:
    """A worker that the system has halted ignores every cancel; after the grace period it is gone."""
    with started(project, "frail.py:Frail") as server:
        pid = worker_of(server.process.pid)
        assert pid is not None
        server.post({"mode": "sleep", "seconds": 30}, id="halted", headers={"prefer": "respond-async"})
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
        os.kill(pid, signal.SIGSTOP)
        server.client.post("/predictions/halted/cancel")
        server.until(lambda: state(pid), lambda now: now in ("", "Z"))
        server.until(
            lambda: server.client.get("/predictions/halted").json()["status"],
            lambda status: status == "canceled",
        )
        is_whole(server)
