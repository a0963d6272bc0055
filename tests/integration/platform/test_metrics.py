"""The operator's metrics of a real platform, read as Prometheus reads them."""

from __future__ import annotations

from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

COLLECTOR = "collector-0123456789"


def _read(platform: Any, token: str = COLLECTOR) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = httpx2.get(
        f"{platform.http.base_url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=30
    )
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    return sum(
        value
        for (called, has), value in found.items()
        if called == name and labels.items() <= dict(has).items()
    )


def test_every_queue_instance_and_latency_is_measured(stopped: Any, model: Any) -> None:
    """What ran, waits and runs is in the metrics, and they add up."""
    stopped.start("--set", f"metrics_token={COLLECTOR}", "--set", "max_instances=1")
    body = "while not os.path.exists(text): time.sleep(0.02)\nreturn text"
    version = stopped.push(model(body, inputs="text: str"), "waits")
    gate = stopped.folder / "gate"
    names = [stopped.create(version, text=str(gate))["id"] for _ in range(3)]
    stopped.until(names[0], "processing")
    held = _read(stopped)
    queue = {"deployable": version, "model": "tester/waits"}
    assert _value(held, "cogyard_queue_waiting", **queue) == 2
    assert _value(held, "cogyard_queue_leased", **queue) == 1
    assert _value(held, "cogyard_queue_oldest_seconds", **queue) > 0
    assert _value(held, "cogyard_instance", deployable=version, phase="ready") == 1
    assert _value(held, "cogyard_instance_busy", deployable=version) == 1
    assert _value(held, "cogyard_instance_slots", deployable=version) == 1
    assert _value(held, "cogyard_instance_start_seconds_count") == 1
    gate.write_text("")
    for name in names:
        stopped.until(name)
    done = _read(stopped)
    assert _value(done, "cogyard_predictions_total", model="tester/waits", status="succeeded") == 3
    assert _value(done, "cogyard_prediction_run_seconds_count", model="tester/waits") == 3
    assert _value(done, "cogyard_prediction_wait_seconds_sum") > 0
    assert _value(done, "cogyard_queue_waiting") == 0
    assert (
        _value(done, "cogyard_http_request_seconds_count", operation="predictions.create", status="2xx") == 3
    )
    assert _value(done, "cogyard_http_request_seconds_count", part="registry", method="PUT") > 3
    assert _value(done, "cogyard_http_requests_open") == 1, "its own"
    assert _value(done, "cogyard_database_bytes") > 4096
    assert _value(done, "cogyard_disk_free_bytes") > 0
    assert _value(done, "process_resident_memory_bytes") > 1 << 20
    assert _value(done, "cogyard_log_events_total", level="info") > 0


def test_metrics_are_the_operators_alone(stopped: Any) -> None:
    """Administrators and the collector's token; not the public, not other accounts, and no token when none is set."""
    stopped.start("--set", f"metrics_token={COLLECTOR}")
    base = stopped.http.base_url
    assert stopped.http.get("/metrics").status_code == 200
    assert httpx2.get(f"{base}/metrics").status_code == 401
    for wrong in ("x", "collector", COLLECTOR + "0", "None"):
        headers = {"authorization": f"Bearer {wrong}"}
        assert httpx2.get(f"{base}/metrics", headers=headers).status_code == 401
    stopped.end(2)
    stopped.start()
    for wrong in ("x", "None", COLLECTOR):
        headers = {"authorization": f"Bearer {wrong}"}
        assert httpx2.get(f"{stopped.http.base_url}/metrics", headers=headers).status_code == 401
