"""GET /metrics of the real server: its format, its reference, and that it counts what happens."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.model_server.live import peer, serving

SOURCE = """
import time
def predict(seconds: float = 0) -> str:
    time.sleep(seconds)
    return "x"
def train() -> str:
    return "weights"
"""
_LINE = re.compile(r'(# (HELP|TYPE) cog_[a-z_]+ .+)|(cog_[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+)')
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "model-http.md"


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    """Every line of /metrics is of the format; each metric has its type before it and is in the reference."""
    (tmp_path / "predict.py").write_text(SOURCE)
    with serving(tmp_path, "predict.py:predict", "--train-ref", "predict.py:train") as server:
        server.client.post("/trainings", json={"input": {}})
        response = server.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    named = set()
    reference = REFERENCE.read_text()
    for line in response.text.strip().splitlines():
        assert _LINE.fullmatch(line), line
        if line.startswith("# TYPE "):
            named.add(line.split()[2])
            assert f"`{line.split()[2]}" in reference, line
        elif not line.startswith("#"):
            name = re.split(r"[ {]", line)[0]
            assert name in named or re.sub("_(bucket|sum|count)$", "", name) in named, line


def test_metrics_count_what_happens(tmp_path: Path) -> None:
    """Ends, refusals, waits, webhooks, memory and trainings all show."""
    (tmp_path / "predict.py").write_text(SOURCE)
    with (
        peer() as hook,
        serving(tmp_path, "predict.py:predict", "--queue", "0", "--train-ref", "predict.py:train") as server,
    ):
        server.result({}, webhook=hook.url("/h"), webhook_events_filter=["completed"])
        server.post({"seconds": 30}, headers={"prefer": "respond-async"}, id="long")
        server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
        assert server.post({}).status_code == 429
        server.client.post("/predictions/long/cancel")
        server.until(lambda: server.metric('cog_predictions_total{status="canceled"}'), lambda n: n == 1)
        assert server.metric('cog_predictions_total{status="succeeded"}') == 1
        assert server.metric("cog_predictions_refused_total") == 1
        assert server.metric("cog_prediction_wait_seconds_count") == 2
        assert server.metric("cog_prediction_seconds_count") == 2
        assert server.metric("cog_prediction_seconds_sum") >= server.metric("cog_prediction_wait_seconds_sum")
        server.until(lambda: server.metric('cog_webhooks_total{result="delivered"}'), lambda n: n == 1)
        assert server.metric("cog_queue_places") == 0
        assert server.metric("cog_workers_ready") == server.metric("cog_workers") == 1
        for process in ('process="server"', 'process="worker",worker="0"'):
            assert 5e6 < server.metric(f"cog_memory_bytes{{{process}}}") < 5e8
        assert "cog_train_seconds" not in server.client.get("/metrics").text
        assert server.client.post("/trainings", json={"input": {}}).json()["status"] == "succeeded"
        assert server.metric('cog_trainings_total{status="succeeded"}') == 1
