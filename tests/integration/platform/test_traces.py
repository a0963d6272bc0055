"""The trace of a request reaches the model that it runs, also when that runs long after."""

from __future__ import annotations

import json
import signal
from typing import Any

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TELLS = "import cog, json\nreturn json.dumps(dict(cog.current_scope().trace))"


def test_a_models_requests_are_of_its_callers_trace(stopped: Any, model: Any) -> None:
    """Also after a kill; nothing is said of it in the answer, and nothing that makes no sense goes on."""
    stopped.start()
    # Idempotent, so that it runs again after the kill whether or not it had begun.
    version = stopped.push(model(TELLS, idempotent=True), "traced")

    def ask(**headers: str) -> dict[str, Any]:
        body = {"version": version, "input": {}}
        made = stopped.http.post("/v1/predictions", json=body, headers=headers).raise_for_status().json()
        assert PARENT not in json.dumps(made)
        return dict(made)

    for headers, told in (
        (
            {"traceparent": PARENT, "tracestate": "vendor=1"},
            {"traceparent": PARENT, "tracestate": "vendor=1"},
        ),
        ({"traceparent": PARENT}, {"traceparent": PARENT}),
        ({"traceparent": "nonsense"}, {}),
        ({}, {}),
    ):
        assert json.loads(stopped.until(ask(**headers)["id"])["output"]) == told
    late = ask(traceparent=PARENT)
    stopped.end(signal.SIGKILL)
    stopped.start()
    assert json.loads(stopped.until(late["id"])["output"]) == {"traceparent": PARENT}
