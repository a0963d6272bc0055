"""Predictions over HTTP with the real worker: ends of every kind, waiting, canceling, capacity."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_server.live import Server, serving


@pytest.mark.parametrize(("mode", "cause"), [("exit", "exit status 7"), ("segfault", "SIGSEGV (signal 11)")])
def test_a_crash_is_told_and_healed(project: Path, mode: str, cause: str) -> None:
    """The prediction fails with the cause, waiting ones run on the next worker, health tells the truth."""
    with serving(project, "predict.py:Plain") as server, ThreadPoolExecutor() as pool:
        long = pool.submit(server.result, {"mode": "sleep", "value": "0.3"})
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
        crash = pool.submit(server.result, {"mode": mode})
        server.until(lambda: server.metric("cog_predictions_waiting"), lambda n: n == 1)
        after = pool.submit(server.result, {"mode": "echo", "value": "later"})
        assert long.result()["status"] == "succeeded"
        assert crash.result()["status"] == "failed"
        assert cause in crash.result()["error"]
        assert after.result()["output"] == "later"
        assert server.health()["status"] == "READY"
        assert server.metric("cog_worker_restarts_total") == 1


def test_a_model_that_keeps_dying_is_defunct(project: Path) -> None:
    """When no new worker becomes ready the model is DEFUNCT, and predictions are refused with the reason."""
    with serving(project, "predict.py:DiesOnce") as server:
        assert server.result({})["status"] == "failed"
        found = server.wait_for("DEFUNCT", seconds=40)
        assert "only once" in found["error"]
        response = server.post({})
        assert response.status_code == 503
        assert "only once" in response.json()["detail"]


@pytest.mark.parametrize(("ref", "reason"), [("BadSetup", "no weights"), ("DyingSetup", "exit status 9")])
def test_a_failed_setup_is_served_honestly(project: Path, ref: str, reason: str) -> None:
    """Health says SETUP_FAILED with complete logs, predictions and schema are 503 with the reason."""
    with serving(project, f"predict.py:{ref}", ready=False) as server:
        found = server.wait_for("SETUP_FAILED")
        assert reason in found["error"]
        assert found["setup"]["status"] == "failed"
        assert found["setup"]["logs"]
        assert found["setup"]["completed_at"]
        for response in (server.post({}), server.client.get("/openapi.json")):
            assert response.status_code == 503
            assert reason in response.json()["detail"]


def test_nothing_is_taken_before_the_model_is_ready(project: Path) -> None:
    """While setup() runs, health is STARTING with its logs so far, and predictions are 503."""
    with serving(project, "predict.py:SlowSetup", ready=False) as server:
        found = server.until(server.health, lambda h: h["setup"]["logs"] == "loading weights\n")
        assert found["status"] == "STARTING"
        assert found["setup"]["completed_at"] is None
        response = server.post({})
        assert response.status_code == 503
        assert "retry-after" in response.headers
        assert server.client.get("/openapi.json").status_code == 503


def test_a_setup_timeout_ends_the_wait(project: Path) -> None:
    """--setup-timeout stops a setup() that takes too long, and says so, in the log too: whoever reads that sees why."""
    with serving(project, "predict.py:SlowSetup", "--setup-timeout", "0.4", ready=False) as server:
        found = server.wait_for("SETUP_FAILED")
        assert "0.4 seconds" in found["error"]
        assert found["setup"]["logs"].splitlines()[-1] == found["error"]


def test_a_python_that_is_not_there_is_a_failed_setup(project: Path) -> None:
    """A wrong --python is told by /health-check, not by a crash."""
    with serving(project, "predict.py:Plain", "--python", "/nowhere/python", ready=False) as server:
        assert "/nowhere/python" in server.wait_for("SETUP_FAILED")["error"]


def running(server: Server, name: str) -> None:
    """Wait until a prediction runs."""
    has_status(server, name, "processing")


def has_status(server: Server, name: str, status: str) -> None:
    """Wait until a prediction has a status."""
    server.until(
        lambda: server.client.get(f"/predictions/{name}").json().get("status"), lambda found: found == status
    )


def test_cancel_stops_a_sleep_at_once(project: Path) -> None:
    """POST …/cancel ends code that is blocked in a system call; the waiting client gets the canceled prediction."""
    with serving(project, "predict.py:Plain") as server, ThreadPoolExecutor() as pool:
        waiting = pool.submit(server.result, {"mode": "sleep", "value": "30"}, id="nap")
        server.until(lambda: server.client.get("/predictions/nap").status_code, lambda code: code == 200)
        running(server, "nap")
        begun = time.monotonic()
        assert server.client.post("/predictions/nap/cancel").json() == {}
        assert waiting.result()["status"] == "canceled"
        assert time.monotonic() - begun < 20
        assert server.client.post("/predictions/nap/cancel").status_code == 200
        assert server.metric("cog_worker_restarts_total") == 0


DEAF = """
import os, signal, time
class Predictor:
    def predict(self, deaf: bool) -> int:
        if deaf:
            heard = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            open("deaf", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
            signal.signal(signal.SIGUSR1, heard)
            time.sleep(60)
        return os.getpid()
"""


def test_a_signal_that_is_lost_is_sent_again(tmp_path: Path) -> None:
    """As when it comes just before the code begins to wait: the prediction ends, and the worker lives on."""
    (tmp_path / "predict.py").write_text(DEAF)
    with serving(tmp_path, "predict.py:Predictor", "--cancel-grace", "60") as server:
        worker = server.result({"deaf": False})["output"]
        server.post({"deaf": True}, headers={"prefer": "respond-async"}, id="deaf")
        server.until((tmp_path / "deaf").exists, bool)
        server.client.post("/predictions/deaf/cancel")
        (tmp_path / "go").touch()
        has_status(server, "deaf", "canceled")
        assert server.result({"deaf": False})["output"] == worker


def test_code_that_ignores_a_cancel_is_killed(project: Path) -> None:
    """After the grace period the worker is killed and started anew; the prediction counts as canceled."""
    with (
        serving(project, "predict.py:Plain", "--cancel-grace", "0.3") as server,
        ThreadPoolExecutor() as pool,
    ):
        waiting = pool.submit(server.result, {"mode": "stubborn", "value": "30"}, id="stubborn")
        server.until(lambda: server.client.get("/predictions/stubborn").status_code, lambda code: code == 200)
        running(server, "stubborn")
        server.until(
            lambda: server.client.get("/predictions/stubborn").json()["logs"], lambda logs: "holding" in logs
        )
        server.client.post("/predictions/stubborn/cancel")
        assert waiting.result()["status"] == "canceled"
        server.wait_for("READY")
        assert server.result({"mode": "echo", "value": "on"})["output"] == "on"
        assert server.metric("cog_worker_restarts_total") == 1


def test_a_waiting_prediction_can_be_canceled(project: Path) -> None:
    """A prediction that has no slot yet leaves the queue at once."""
    with serving(project, "predict.py:Plain") as server:
        server.post({"mode": "sleep", "value": "30"}, headers={"prefer": "respond-async"}, id="first")
        server.post({"mode": "echo"}, headers={"prefer": "respond-async"}, id="second")
        assert server.client.get("/predictions/second").json()["status"] == "starting"
        server.client.post("/predictions/second/cancel")
        found = server.client.get("/predictions/second").json()
        assert (found["status"], found["started_at"]) == ("canceled", None)
        server.client.post("/predictions/first/cancel")


def test_a_client_that_goes_away_cancels_its_prediction(project: Path) -> None:
    """Closing the connection of a synchronous request stops the model; an asynchronous one goes on."""
    with serving(project, "predict.py:Plain") as server:
        for extra in (b"", b"Prefer: wait=30\r\n"):
            name = f"gone{len(extra)}"
            body = b'{"id":"%s","input":{"mode":"sleep","value":"30"}}' % name.encode()
            with server.raw() as sock:
                head = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + extra
                sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                running(server, name)
            has_status(server, name, "canceled")
        server.post({"mode": "echo", "value": "x"}, headers={"prefer": "respond-async"}, id="stays")
        server.until(
            lambda: server.client.get("/predictions/stays").json()["status"], lambda s: s == "succeeded"
        )


def test_wait_answers_with_what_there_is(project: Path) -> None:
    """Prefer: wait=N answers 202 after N seconds when the prediction is not over, and it goes on."""
    with serving(project, "predict.py:Plain") as server:
        begun = time.monotonic()
        response = server.post({"mode": "sleep", "value": "5"}, headers={"prefer": "wait=1"}, id="w")
        assert time.monotonic() - begun > 0.9
        assert (response.status_code, response.json()["status"]) == (202, "processing")
        server.until(lambda: server.client.get("/predictions/w").json()["status"], lambda s: s == "succeeded")
        quick = server.post({"mode": "echo"}, headers={"prefer": "wait=5"})
        assert quick.status_code == 200


def test_put_is_idempotent(project: Path) -> None:
    """The same PUT joins the running prediction; another input is a conflict; POST of a running id too."""
    with serving(project, "predict.py:Plain") as server, ThreadPoolExecutor() as pool:
        value = {"mode": "sleep", "value": "0.6"}

        def put() -> dict[str, Any]:
            found: dict[str, Any] = server.client.put("/predictions/same", json={"input": value}).json()
            return found

        first, second = pool.submit(put), pool.submit(put)
        server.until(lambda: server.client.get("/predictions/same").status_code, lambda code: code == 200)
        conflict = server.client.put("/predictions/same", json={"input": {"mode": "echo"}})
        assert conflict.status_code == 409
        assert server.post(value, id="same").status_code == 409
        assert first.result() == second.result()
        total = server.metric('cog_predictions_total{status="succeeded"}')
        assert total == 1
        asynchronous = server.client.put(
            "/predictions/same", json={"input": value}, headers={"prefer": "respond-async"}
        )
        assert asynchronous.json()["status"] == "succeeded"


def test_a_put_is_for_one_id(project: Path) -> None:
    """Only `/predictions/{id}` takes a PUT; the answer has the address's id, and one that cannot be is refused."""
    with serving(project, "predict.py:Plain") as server:
        found = server.client.put("/predictions/one", json={"input": {"mode": "echo"}})
        assert (found.status_code, found.json()["id"]) == (200, "one")
        again = server.client.put("/predictions/one", json={"input": {"mode": "echo"}})
        assert again.json() == found.json()
        for path, status in (
            ("/predictions/a%20b", 422),
            ("/predictions/a.b", 422),
            ("/predictions/a/b", 404),
            ("/predictions/", 405),
            ("/predictions", 405),
        ):
            assert server.client.put(path, json={"input": {"mode": "echo"}}).status_code == status, path


def test_a_full_queue_refuses(project: Path) -> None:
    """Beyond slots and queue the answer is 429 with Retry-After; what was accepted all runs."""
    with serving(project, "predict.py:Plain", "--queue", "2") as server:
        for number in range(3):
            response = server.post(
                {"mode": "sleep", "value": "0.3"}, headers={"prefer": "respond-async"}, id=f"q{number}"
            )
            assert response.status_code == 202
        refused = server.post({"mode": "echo"})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert server.health()["status"] == "BUSY"
        for number in range(3):
            has_status(server, f"q{number}", "succeeded")


def test_strict_capacity_is_cog_s(project: Path) -> None:
    """COG_STRICT_CAPACITY has no queue, and answers 409 when the slots are busy."""
    with serving(project, "predict.py:Plain", env={"COG_STRICT_CAPACITY": "1"}) as server:
        server.post({"mode": "sleep", "value": "30"}, headers={"prefer": "respond-async"}, id="s")
        assert server.post({"mode": "echo"}).status_code == 409
        server.client.post("/predictions/s/cancel")


def test_a_slot_is_free_before_the_answer(project: Path) -> None:
    """With strict capacity, one client that asks again right after each answer is never refused."""
    with serving(project, "predict.py:Plain", env={"COG_STRICT_CAPACITY": "1"}) as server:
        for number in range(300):
            assert server.result({"mode": "echo", "value": str(number)})["output"] == str(number)


def test_many_clients_of_one_slot_all_get_their_answers(project: Path) -> None:
    """Sixteen clients at once: every answer is right, none is refused, no logs are mixed up."""
    with serving(project, "predict.py:Plain") as server:
        wrong: list[Any] = []

        def client(name: int) -> None:
            for number in range(15):
                found = server.result({"mode": "print", "value": f"{name}-{number}"})
                if found["output"] != f"{name}-{number}" or f"stdout {name}-{number}\n" not in found["logs"]:
                    wrong.append(found)
                if found["logs"].count("stdout ") != 1:
                    wrong.append(found)

        threads = [threading.Thread(target=client, args=(name,)) for name in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_an_async_model_runs_several_at_once(project: Path) -> None:
    """Slots are as many as the author says; logs belong to their prediction; the fifth waits."""
    with serving(project, "asynchronous.py:Waits") as server, ThreadPoolExecutor(8) as pool:
        begun = time.monotonic()
        results = list(pool.map(lambda n: server.result({"seconds": 0.5, "text": str(n)}), range(8)))
        took = time.monotonic() - begun
        assert 1.0 <= took < 3.9  # one after another they take 4 s
        assert [result["output"] for result in results] == [str(n) for n in range(8)]
        assert [result["logs"] for result in results] == [f"waiting {n}\n" for n in range(8)]


def test_concurrency_can_be_set(project: Path) -> None:
    """--concurrency says how many slots an async model has."""
    with serving(project, "asynchronous.py:Waits", "--concurrency", "2") as server:
        assert server.metric("cog_slots") == 2


def test_cancel_of_one_async_prediction_leaves_the_others(project: Path) -> None:
    """Only the canceled task ends."""
    with serving(project, "asynchronous.py:Waits") as server, ThreadPoolExecutor(8) as pool:
        first = pool.submit(server.result, {"seconds": 30.0}, id="a")
        second = pool.submit(server.result, {"seconds": 0.8}, id="b")
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 2)
        server.client.post("/predictions/a/cancel")
        assert first.result()["status"] == "canceled"
        assert second.result()["status"] == "succeeded"


def test_the_model_s_healthcheck_shows(project: Path) -> None:
    """A healthcheck that returns False makes the model UNHEALTHY, for as long as it does."""
    with serving(project, "predict.py:Plain") as server:
        (project / "unwell").touch()
        found = server.health()
        assert found["status"] == "UNHEALTHY"
        assert found["user_healthcheck_error"]
        (project / "unwell").unlink()
        assert server.health()["status"] == "READY"


def test_a_busy_sync_model_is_busy_not_unwell(project: Path) -> None:
    """Health answers at once while the model works."""
    with serving(project, "predict.py:Plain") as server:
        server.post({"mode": "sleep", "value": "30"}, headers={"prefer": "respond-async"}, id="s")
        begun = time.monotonic()
        assert server.health()["status"] == "BUSY"
        assert time.monotonic() - begun < 20
        server.client.post("/predictions/s/cancel")
