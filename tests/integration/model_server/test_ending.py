"""How the server begins and ends: signals, POST /shutdown, the parent's end, a port in use, its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cog_server.__main__ import options
from cog_server.serving import ServerOptions, reap_orphans, serve

from tests.integration.model_server.live import serving


def test_sigterm_drains(project: Path) -> None:
    """What runs is finished and answered, what is new is refused, the exit status is 0, nothing is left behind."""
    with serving(project, "predict.py:Plain") as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.result, {"mode": "sleep", "value": "1.5"})
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
        server.process.send_signal(signal.SIGTERM)
        # The signal is handled a moment after it was sent; what is taken until then is finished too.
        later = {"prefer": "respond-async"}
        server.until(
            lambda: server.post({"mode": "echo"}, headers=later).status_code, lambda code: code == 503
        )
        assert running.result()["status"] == "succeeded"
        assert server.process.wait(40) == 0
        assert not server.uds.exists()
        assert list((server.folder / "tmp").iterdir()) == []


def test_a_second_sigterm_cancels(project: Path) -> None:
    """Someone who asks twice does not wait for the model."""
    with serving(project, "predict.py:Plain") as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.result, {"mode": "sleep", "value": "60"})
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert running.result()["status"] == "canceled"
        assert server.process.wait(40) == 0


def test_ctrl_c_cancels_and_ends(project: Path) -> None:
    """Ctrl-C ends the model's work and the server within seconds."""
    with serving(project, "predict.py:Plain") as server:
        server.post({"mode": "sleep", "value": "60"}, headers={"prefer": "respond-async"})
        begun = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(40) == 0
        assert time.monotonic() - begun < 20


def test_ctrl_c_during_setup_ends_at_once(project: Path) -> None:
    """A model that is still loading does not hold the end up."""
    with serving(project, "predict.py:SlowSetup", ready=False) as server:
        begun = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(40) == 0
        assert time.monotonic() - begun < 20


#: The server, which gets a signal where what its handler raises is lost, as in the callbacks that imports leave behind.
LOST = """
import os, signal, sys, weakref
import cog_server.serving as serving
from cog_server.__main__ import main

class Gone:
    pass

def spawn(*arguments, real=serving.spawn, **more):
    gone = Gone()
    kept = weakref.ref(gone, lambda _: os.kill(os.getpid(), signal.{signal}))
    del gone
    return real(*arguments, **more)

serving.spawn = spawn
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_that_was_lost_while_starting_still_ends_it(project: Path, name: str) -> None:
    """It may come while modules are imported, and be raised where nobody hears it."""
    program = ("-c", LOST.format(signal=name))
    with serving(project, "predict.py:SlowSetup", ready=False, program=program) as server:
        assert server.process.wait(40) == 0
        assert "Exception ignored" in server.log.read_text()


def test_post_shutdown_drains(project: Path) -> None:
    """POST /shutdown answers {} and ends the server."""
    with serving(project, "predict.py:Plain", "--await-explicit-shutdown") as server:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert server.health()["status"] == "READY"
        assert server.client.post("/shutdown").json() == {}
        assert server.process.wait(40) == 0


def test_the_parent_s_end_is_the_server_s(project: Path) -> None:
    """With --exit-on-stdin-close the server and its worker end when stdin closes."""
    with serving(project, "predict.py:Plain", "--exit-on-stdin-close", stdin=subprocess.PIPE) as server:
        server.post({"mode": "sleep", "value": "60"}, headers={"prefer": "respond-async"})
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(40) == 0


def test_a_killed_server_takes_its_worker_along(project: Path) -> None:
    """Even when the server has no time to say anything, the worker ends."""
    with serving(project, "predict.py:Plain") as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert children
        server.post({"mode": "sleep", "value": "60"}, headers={"prefer": "respond-async"})
        server.process.kill()
        server.process.wait()
        server.until(
            lambda: [pid for pid in children if Path(f"/proc/{pid}").exists()], lambda left: not left
        )


def test_a_port_in_use_is_told(project: Path) -> None:
    """The message names the address and what to do; the exit status is 1; no model is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "cog_server", "--host", "127.0.0.1", "--port", port]
        command += ["--project", str(project), "--python", sys.executable, "--ref", "predict.py:Plain"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in found.stderr
    assert "--port" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "no model is named"),
        (["--ref", "predict.py:Plain", "--project", "/nowhere"], 1, "no project folder '/nowhere'"),
        (["--ref", "predict.py:Plain", "--schema", "/nowhere.json"], 1, "no file '/nowhere.json'"),
        (["--ref", "predict.py:Plain", "--concurrency", "0"], 2, "'0' is not a whole number from 1 up"),
    ],
)
def test_wrong_settings_are_told(project: Path, arguments: list[str], status: int, message: str) -> None:
    """A setting that makes no sense ends the server with a sentence, not with a traceback."""
    command = [sys.executable, "-m", "cog_server", "--port", "0", "--host", "127.0.0.1", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COG_")}
    found = subprocess.run(
        command, capture_output=True, text=True, timeout=20, cwd=project, env=env, check=False
    )
    assert (found.returncode, "Traceback" in found.stderr) == (status, False)
    assert message in found.stderr


def test_settings_come_from_the_environment_and_arguments_win() -> None:
    """An image sets COG_* and PORT; whoever runs it may say otherwise."""
    env = {"PORT": "8080", "COG_PREDICT_TYPE_STUB": "run.py:Runner", "COG_PYTHON": "/opt/p", "COG_PROJECT": "/",
           "COG_MAX_CONCURRENCY": "3", "COG_QUEUE_SIZE": "7", "COG_STRICT_CAPACITY": "1",
           "COG_SETUP_TIMEOUT": "9", "COG_UPLOAD_URL": "http://u/", "COG_INPUT_HOSTS": "a,b",
           "COG_TRAIN_TYPE_STUB": "train.py:train", "COG_LOG_LEVEL": "Info", "LOG_FORMAT": "json"}  # fmt: skip
    found = options(["--port", "9"], env)
    assert found == ServerOptions(
        port=9, ref="run.py:Runner", python=Path("/opt/p"), project=Path("/"), concurrency=3, queue=7,
        strict_capacity=True, setup_timeout=9.0, upload_url="http://u/", input_hosts="a,b",
        train_ref="train.py:train", log_level="info", log_format="json",
    )  # fmt: skip


def test_serve_can_be_called(project: Path) -> None:
    """`serve()` runs until a signal, tells its address, and gives the exit status."""
    told: list[str] = []

    def listening(address: str) -> None:
        told.append(address)
        os.kill(os.getpid(), signal.SIGTERM)

    chosen = ServerOptions(
        python=Path(sys.executable), project=project, ref="predict.py:Plain", host="127.0.0.1", port=0,
        on_listening=listening,
    )  # fmt: skip
    assert serve(chosen) == 0
    assert told
    assert told[0].startswith("http://127.0.0.1:")
    assert not told[0].endswith(":0")


def test_orphans_are_reaped_and_our_own_children_are_not() -> None:
    """As process 1 the server takes in orphans' exit statuses, and leaves its workers' to whoever waits for them."""
    ours = subprocess.Popen(["true"])
    orphan = os.spawnlp(os.P_NOWAIT, "true", "true")  # noqa: S606 - a child that nobody waits for
    end = time.monotonic() + 60
    reaped: list[int] = []
    while orphan not in reaped and time.monotonic() < end:
        reaped += reap_orphans({ours.pid})
        time.sleep(0.01)
    assert orphan in reaped
    assert ours.pid not in reaped
    assert ours.wait() == 0


def test_ctrl_c_does_not_wait_for_a_webhook_that_nobody_takes(project: Path) -> None:
    """A drain gives the last webhooks half a minute; who presses Ctrl-C gets the keyboard back at once."""
    with serving(project, "predict.py:Plain") as server:
        server.result({"mode": "echo"}, webhook="http://127.0.0.1:9/", webhook_events_filter=["completed"])
        begun = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
        assert time.monotonic() - begun < 25
