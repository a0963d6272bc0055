"""Deadlines, tokens, signed webhooks, readiness and the end, on the real server and worker."""

from __future__ import annotations

import time
from pathlib import Path

from cog_server.signing import key_of, signed_headers

from tests.integration.model_server.live import peer, serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_caller_s_deadline_cancels(project: Path) -> None:
    """Cancel-After counts from the request, waiting included."""
    with serving(project, "predict.py:Plain") as server:
        begun = time.monotonic()
        server.post(
            {"mode": "sleep", "value": "30"},
            headers={"prefer": "respond-async", "cancel-after": "0.6"},
            id="r",
        )
        waiting = server.post({"mode": "echo"}, headers={"cancel-after": "0.3"})
        assert waiting.json()["status"] == "canceled"
        assert waiting.json()["started_at"] is None
        server.until(lambda: server.client.get("/predictions/r").json()["status"], lambda s: s == "canceled")
        assert 0.5 < time.monotonic() - begun < 25
        assert server.post({"mode": "echo"}, headers={"cancel-after": "5m"}).json()["status"] == "succeeded"
        assert server.post({"mode": "echo"}, headers={"cancel-after": "soon"}).status_code == 400


def test_the_operator_s_limit_fails(project: Path) -> None:
    """--predict-timeout counts from the start of the run, and says so; code that ignores it is killed."""
    arguments = ("--predict-timeout", "0.4", "--cancel-grace", "0.4")
    with serving(project, "predict.py:Plain", *arguments) as server:
        found = server.result({"mode": "sleep", "value": "30"})
        assert found["status"] == "failed"
        assert "longer than the 0.4 seconds" in found["error"]
        assert server.result({"mode": "echo"})["status"] == "succeeded"
        stubborn = server.result({"mode": "stubborn", "value": "30"})
        assert (stubborn["status"], stubborn["error"]) == ("failed", found["error"])


def test_a_token_is_asked_for(project: Path) -> None:
    """Without it nothing is answered but how the model is; the model itself never sees it."""
    with serving(project, "predict.py:Plain", env={"COG_API_TOKEN": "hush"}, ready=False) as server:
        server.wait_for("READY")
        assert server.client.get("/health-check").json() == {"status": "READY"}
        for method, path in [
            ("POST", "/predictions"),
            ("GET", "/"),
            ("GET", "/metrics"),
            ("POST", "/shutdown"),
        ]:
            refused = server.client.request(method, path, json={"input": {"mode": "echo"}})
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        headers = {"authorization": "Bearer hush"}
        assert server.post({"mode": "echo"}, headers=headers).status_code == 200
        assert "setup" in server.client.get("/health-check", headers=headers).json()


def test_webhooks_are_signed(project: Path) -> None:
    """Each message has an id, a time and a signature over them and its body; another try keeps the id."""
    with peer() as store, serving(project, "predict.py:Plain", env={"COG_WEBHOOK_SECRET": SECRET}) as server:
        answers = iter([500, 200])
        store.answer = lambda _: (next(answers), {}, b"")
        server.result({"mode": "echo"}, webhook=store.url("/hook"), webhook_events_filter=["completed"])
        server.until(lambda: len(store.received), lambda count: count == 2)
        for one in store.received:
            name, when = one.headers["webhook-id"], int(one.headers["webhook-timestamp"])
            assert abs(when - time.time()) < 60
            expected = signed_headers(key_of(SECRET), name, when, one.body)
            assert one.headers["webhook-signature"] == expected["webhook-signature"]
        assert len({one.headers["webhook-id"] for one in store.received}) == 1


def test_the_ready_file_is_there_while_the_model_is_ready(project: Path, tmp_path: Path) -> None:
    """It goes with the server."""
    path = tmp_path / "ready"
    with serving(project, "predict.py:Plain", "--ready-file", str(path)) as server:
        assert path.exists()
        server.client.post("/shutdown")
        server.process.wait(10)
        assert not path.exists()


def test_teardown_runs_after_the_last_prediction(tmp_path: Path) -> None:
    """A drain finishes what runs, then calls teardown(), in every worker."""
    (tmp_path / "predict.py").write_text(
        "import os, time\nclass Predictor:\n"
        "    def predict(self, seconds: float) -> str:\n        time.sleep(seconds)\n"
        "        open('order', 'a').write('p')\n        return 'x'\n"
        "    def teardown(self):\n        open('order', 'a').write('t')\n"
    )
    with serving(tmp_path, "predict.py:Predictor", "--workers", "2") as server:
        server.until(lambda: server.metric("cog_slots"), lambda slots: slots == 2)
        server.post({"seconds": 0.6}, headers={"prefer": "respond-async"})
        server.client.post("/shutdown")
        assert server.process.wait(10) == 0
    assert (tmp_path / "order").read_text() == "ptt"


def test_the_model_does_not_see_the_server_s_secrets(tmp_path: Path) -> None:
    """What is the operator's stays with the server."""
    (tmp_path / "predict.py").write_text(
        "import os\ndef predict() -> str:\n    return str([n for n in os.environ if 'TOKEN' in n or 'SECRET' in n])\n"
    )
    env = {"COG_API_TOKEN": "a", "COG_WEBHOOK_SECRET": "b", "WEBHOOK_AUTH_TOKEN": "c"}
    with serving(tmp_path, "predict.py:predict", env=env) as server:
        found = server.post({}, headers={"authorization": "Bearer a"}).json()["output"]
        assert not {name for name in env if name in found}
