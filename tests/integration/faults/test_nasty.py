"""Whatever a model's author does, its predictions end as JSON in words, and the server stays whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.census import take
from tests.integration.faults.servers import started
from tests.integration.model_server.live import Server

FAILS = {
    "surrogate error": "odd",
    "unprintable error": "",
    "long error": "xxx",
    "sys.exit": "leaving",
    "interrupt": "",
    "recursion": "recursion",
    "deep": "",
    "close all": "",
    "garbage": "",
}
EITHER = ("nan", "surrogate", "no stdout", "no descriptors", "remove folders", "metrics")
SUCCEEDS = (
    "surrogate log",
    "bytes log",
    "long log",
    "chdir",
    "fork",
    "fork and return",
    "threads",
    "no gc",
    "new group",
    "number",
    "lock folders",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the nasty model once for all of them: what one does must not be felt by the next."""
    folder = tmp_path_factory.mktemp("nasty")
    shutil.copy(Path(__file__).parent / "nasty.py", folder)
    with started(folder, "nasty.py:Nasty") as found:
        yield found
        assert found.process.poll() is None


def strict(text: str) -> Any:
    """Read JSON as others do, without NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def is_whole(server: Server) -> None:
    """Check that the next prediction is answered and nothing of the last is left."""
    server.wait_for("READY")
    assert server.result({"text": "again"})["output"] == "again"
    server.until(
        lambda: take(server.process.pid, server.folder / "tmp"),
        lambda found: (found.processes, found.zombies, found.files) == (1, 0, 0),
    )


@pytest.mark.parametrize("mode", [*FAILS, *EITHER, *SUCCEEDS])
def test_it_ends_in_words(server: Server, mode: str) -> None:
    """The answer is strict JSON with one status; a failure has a reason of a size that can be read."""
    response = server.post({"mode": mode, "text": "t"})
    assert response.status_code == 200
    found = strict(response.text)
    if mode in FAILS:
        assert found["status"] == "failed"
        assert FAILS[mode] in found["error"]
    elif mode in SUCCEEDS:
        assert found["status"] == "succeeded", found["error"]
        assert found["output"] == (2**200 if mode == "number" else "t")
    assert found["status"] != "failed" or found["error"]
    is_whole(server)


def test_who_ignores_signals_is_killed(server: Server) -> None:
    """A model that takes our signal for itself cannot be canceled politely; it ends all the same."""
    server.post({"mode": "ignore signals"}, id="deaf", headers={"prefer": "respond-async"})
    server.until(lambda: server.metric("cog_predictions_running"), lambda n: n == 1)
    server.client.post("/predictions/deaf/cancel")
    found = server.until(
        lambda: server.client.get("/predictions/deaf").json(), lambda found: found["completed_at"]
    )
    assert found["status"] == "canceled"
    is_whole(server)
