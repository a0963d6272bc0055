"""The official Python client, unmodified, pointed at our platform."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.compat import official
from tests.live import MODELS, LivePlatform

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network, pytest.mark.slow]
CLIENT = "replicate==1.0.7"
SCRIPT = Path(__file__).parent / "official_python.py"


@pytest.fixture(scope="module")
def results(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script in an environment where only the official client is installed; return what it printed."""
    project = tmp_path_factory.mktemp("words") / "words"
    shutil.copytree(MODELS / "words", project)
    live_platform.versions["words"] = live_platform.push(project, "words")
    return official.answers(live_platform, tmp_path_factory.mktemp("official"), SCRIPT, CLIENT)


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("run by name", "hello a"),
        ("run by version", "hello b"),
        ("run by polling", "hello c"),
        ("run async", "hello d"),
        ("several values", ["one", "two"]),
        ("file", ["FileOutput", "cba"]),
        ("file as data", "zyx"),
        ("stream", [["output", "1 "], ["output", "2 "], ["output", "3 "], ["done", "{}"]]),
        ("iterator", ["1 ", "2 ", "3 ", "4 "]),
        ("iterator polling", ["1 ", "2 "]),
        ("cancel", "canceled"),
        ("get", "canceled"),
        ("list", [True, True]),
        ("model error", "told to fail"),
        ("bad input", 422),
        ("missing model", 404),
        ("wrong token", 401),
        ("model", ["tester", "hello", True, "private"]),
        ("versions", [True]),
        ("version schema", ["text"]),
        ("created", ["made-by-official", "private", None]),
        ("hardware", ["cpu"]),
        ("account", "tester"),
        ("organization", ["official-org", "organization", "official-org", "official-org", "hello o", 1]),
        ("files", True),
        ("deleted", True),
        ("secret", "whsec_"),
        ("search", ["hello"]),
        ("models", True),
        ("delete model", True),
        ("model prediction", "hello m"),
        ("deployment", ["tester/front", 1, 1, "tester"]),
        ("release", [2, 2]),
        ("deployments", ["front"]),
        ("deployment prediction", "hello d"),
        ("deployment's prediction", "hello e"),
        ("delete deployment", True),
        ("training", "starting"),
        ("trained", ["succeeded", "tester/learned"]),
        ("learned", "learned one"),
        ("trainings", True),
        ("training stopped", True),
        ("training as prediction", True),
        ("bad destination", 404),
        ("collections", []),
        ("missing collection", 404),
        ("version deleted", False),
        ("versions left", 0),
    ],
)
def test_what_a_user_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Each thing the official client offers gives what it gives on the hosted service."""
    assert results[what] == wanted


def test_a_stored_file_keeps_name_size_metadata_and_checksum(results: dict[str, Any]) -> None:
    """A file that was uploaded is described as it was sent."""
    name, size, metadata, checksum = results["stored"]
    assert (name, size, metadata) == ("kept.txt", 4, {"a": "b"})
    assert checksum == "79f076ab"
