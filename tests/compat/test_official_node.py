"""The official JavaScript client, unmodified, pointed at our platform."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.live import LivePlatform, run

pytestmark = [
    pytest.mark.xdist_group("platform"),
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine"),
]
CLIENT = "replicate@1.4.0"
SCRIPT = Path(__file__).parent / "official_node.mjs"
OPERATIONS = 36
"""Functions of a client, in its groups too, and the package's own."""


@pytest.fixture(scope="module")
def results(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script beside the official package; return what it printed."""
    home = tmp_path_factory.mktemp("official-node")
    npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", home, CLIENT)
    run(*npm, cwd=home, env=live_platform.env)
    shutil.copy(SCRIPT, home / "script.mjs")
    versions = json.dumps(live_platform.versions)
    done = run("node", "script.mjs", live_platform.owner, versions, "node", cwd=home, env=live_platform.env)
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("run by name", "hello a"),
        ("run by version", "hello b"),
        ("run by polling", "hello c"),
        ("file", "cba"),
        ("stream", [["output", "1 "], ["output", "2 "], ["output", "3 "], ["done", "{}"]]),
        ("iterator", ["1 ", "2 ", "3 ", "4 "]),
        ("cancel", "canceled"),
        ("list", True),
        ("model error", "Prediction failed: told to fail"),
        ("bad input", 422),
        ("missing model", 404),
        ("model", ["tester", "hello", True]),
        ("account", "tester"),
        ("organization", ["organization", True, "hello o", 1]),
        ("hardware", ["cpu"]),
        ("stored", [4, True]),
        ("deleted", 404),
        ("search", True),
        ("models", True),
        ("created", True),
        ("versions", True),
        ("version", True),
        ("files", True),
        ("secret", "whsec_"),
        ("webhooks", [True, False]),
        ("progress", {"percentage": 0.5, "current": 10, "total": 20}),
        ("request", "tester"),
        ("file's stream", ["cba"]),
        ("upload", "string"),
        ("get", "canceled"),
        ("paginate", True),
        ("deployment", ["tester", True, 1]),
        ("release", 2),
        ("deployments", True),
        ("deployment get", 2),
        ("deployment prediction", "hello d"),
        ("delete deployment", True),
        ("training", "starting"),
        ("trained", ["succeeded", True]),
        ("learned", "learned one"),
        ("trainings", True),
        ("training stopped", True),
        ("collections", True),
        ("collection", ["hello"]),
        ("missing collection", 404),
    ],
)
def test_what_a_user_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Each thing the official client offers gives what it gives on the hosted service."""
    assert results[what] == wanted


def test_every_operation_is_called(results: dict[str, Any]) -> None:
    """The list is made of a client's functions, and is that of the package's index.d.ts; the script calls each."""
    assert (results["operations"], results["left out"]) == (OPERATIONS, [])
    assert (results["promised and not there"], results["there and not promised"]) == ([], [])
