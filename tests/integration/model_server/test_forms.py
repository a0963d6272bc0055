"""Forms and plain files over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.model_server.live import serving

SOURCE = """import cog
class Predictor:
    def predict(self, file: cog.Path, times: int = 1, words: list[str] = cog.Input(default=[])) -> str:
        return f"{file.read_text() * times} {file.suffix} {words}"
"""


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """Return a project that reads a file."""
    (tmp_path / "predict.py").write_text(SOURCE)
    return tmp_path


def test_a_form_is_taken(reader: Path) -> None:
    """As `curl -F file=@a.txt -F times=2` sends it; PUT joins as with JSON, and wrong values are told by name."""
    with serving(reader) as server:
        given = {
            "files": {"file": ("a.txt", b"hi", "text/plain")},
            "data": {"times": "2", "words": ["a", "b"]},
        }
        found = server.client.post("/predictions", **given)  # type: ignore[arg-type]
        assert found.json()["output"] == "hihi .txt ['a', 'b']"
        first = server.client.put("/predictions/one", **given)  # type: ignore[arg-type]
        again = server.client.put("/predictions/one", **given)  # type: ignore[arg-type]
        assert first.json() == again.json()
        wrong = server.client.post("/predictions", **{**given, "data": {"times": "many"}})  # type: ignore[arg-type]
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "input", "times"])
        server.until(server.folders, lambda left: not left)


def test_a_plain_file_is_taken(reader: Path) -> None:
    """As `curl --data-binary @a.txt` sends it, other inputs in the address; with events and Prefer, too."""
    with serving(reader) as server:
        for headers in ({}, {"prefer": "wait=5"}):
            found = server.client.post(
                "/predictions?times=2", content=b"hi", headers={"content-type": "text/csv", **headers}
            )
            assert found.json()["output"] == "hihi .csv []"
        events = server.client.post(
            "/predictions",
            content=b"hi",
            headers={"content-type": "text/plain", "accept": "text/event-stream"},
        )
        assert "event: completed" in events.text
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert server.client.post("/predictions", content=b"{}", headers=form).status_code == 415
        assert server.client.post("/predictions", content=b"{}").status_code == 415
        assert server.client.post("/predictions").json()["detail"][0]["loc"] == ["body", "input", "file"]
