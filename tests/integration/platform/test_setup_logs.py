"""Why a model did not start, told to whom it belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cogyard.testing.images import TestImage


def test_the_owner_reads_the_setup_log(stopped: Any, model: Callable[..., TestImage]) -> None:
    """A version whose setup() raises tells, after its prediction failed, when and why, with what it printed."""
    stopped.start()
    version = stopped.push(
        model("return ''", setup="print('loading weights')\nraise ValueError('no weights')"), "broken"
    )
    assert stopped.run(version)["status"] == "failed"
    path = f"/v1/models/tester/broken/versions/{version}/instances"
    stopped.wait_for(lambda: stopped.http.get(path).json()["results"])
    (found, *_) = stopped.http.get(path).json()["results"]
    assert found["became_ready"] is False
    assert "setup() failed" in found["error"]
    assert "loading weights" in found["setup_logs"]
    assert stopped.http.get(f"/v1/models/tester/broken/versions/{'0' * 64}/instances").status_code == 404
