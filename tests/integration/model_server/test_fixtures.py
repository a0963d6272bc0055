"""The exchanges that spec/model-http promises, against the real server with the real worker."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_server.live import events, serving

FIXTURES = sorted((Path(__file__).parents[3] / "spec" / "model-http").glob("*.json"))


@pytest.mark.parametrize("path", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_exchanges_are_as_written(path: Path, tmp_path: Path) -> None:
    """Every exchange of a fixture file gets the answer that the file gives."""
    fixture = json.loads(path.read_text())
    (tmp_path / "predict.py").write_text(fixture["model"])
    with serving(tmp_path) as server:
        for exchange in fixture["exchanges"]:
            asked, expected = exchange["request"], exchange["response"]
            content = json.dumps(asked["json"]) if "json" in asked else asked.get("body")
            with server.client.stream(
                asked["method"], asked["path"], headers=asked["headers"], content=content
            ) as response:
                where = exchange["name"]
                if "events" in expected:
                    found = [
                        {"event": name, "data": data} for _, name, data in events(response) if name != "log"
                    ]
                    check(found, expected["events"], where)
                else:
                    response.read()
                    check(response.json(), expected.get("json", "<any>"), where)
                assert response.status_code == expected["status"], where
                for name, value in expected.get("headers", {}).items():
                    assert response.headers[name] == value, where


def check(found: Any, expected: Any, where: str) -> None:
    """Compare with an expectation that may have placeholders."""
    if expected == "<any>":
        return
    if expected == "<string>":
        assert isinstance(found, str), where
    elif expected == "<number>":
        assert isinstance(found, (int, float)), where
    elif expected == "<time>":
        assert datetime.fromisoformat(found).utcoffset() is not None, where
    elif isinstance(expected, dict):
        assert isinstance(found, dict), where
        wanted = {key for key in expected if key != "<more>"}
        assert wanted <= set(found), where
        assert "<more>" in expected or set(found) == wanted, where
        for key in wanted:
            check(found[key], expected[key], f"{where}, {key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), where
        assert len(found) == len(expected), f"{where}: {found}"
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            check(one, other, f"{where}[{index}]")
    else:
        assert found == expected, where
