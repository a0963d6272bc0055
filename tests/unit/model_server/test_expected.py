"""A model that expects weights waits for them, and says so; it does not run without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cog_server.errors import StartError
from cog_server.expected import Expected, all_ready, arrive, expected

pytestmark = pytest.mark.anyio


def mark(folder: Path, name: str, text: str = "") -> None:
    """Leave a sign in a folder of weights."""
    (folder / ".cog").mkdir(parents=True, exist_ok=True)
    (folder / ".cog" / name).write_text(text)


def test_an_image_says_what_it_expects(tmp_path: Path) -> None:
    """Or nothing, where there is no such file; one that cannot be read is no reason to go on."""
    file = tmp_path / "weights.json"
    assert expected(file) == ()
    file.write_text(json.dumps({"weights": [{"name": "a", "target": "/src/a", "setDigest": "sha256:0"}]}))
    assert expected(file) == (Expected("a", Path("/src/a")),)
    for text in ("{", "{}", '{"weights": [{}]}', '{"weights": 1}'):
        file.write_text(text)
        with pytest.raises(StartError, match="does not say which weights"):
            expected(file)


async def test_what_is_there_is_not_waited_for(tmp_path: Path) -> None:
    """And nothing is said."""
    mark(tmp_path, "ready")
    said: list[str] = []
    assert all_ready([Expected("a", tmp_path)])
    assert await arrive([Expected("a", tmp_path)], said.append) is None
    assert said == []


async def test_it_is_waited_for_while_it_is_fetched(tmp_path: Path) -> None:
    """Told once, for as long as it takes."""
    mark(tmp_path, "downloading")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        mark(tmp_path, "ready")

    assert await arrive([Expected("a", tmp_path)], say, patience=0) is None
    assert said == [f"Waiting for the weights a at {tmp_path}: they are being fetched.\n"]


async def test_a_failed_delivery_is_told_with_its_reason(tmp_path: Path) -> None:
    """The deliverer's own words."""
    mark(tmp_path, "failed", "disk full")
    assert await arrive([Expected("a", tmp_path)], lambda _text: None) == (
        "The weights a could not be delivered: disk full"
    )


async def test_nobody_s_delivery_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """And the words say how they are mounted."""
    now = iter([0.0, 61.0])
    why = await arrive([Expected("a", tmp_path)], lambda _text: None, patience=60, clock=lambda: next(now))
    assert why is not None
    assert why.startswith(f"The weights a are not at {tmp_path}")
    assert "cog weights pull" in why
