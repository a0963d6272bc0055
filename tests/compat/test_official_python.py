"""The official Python client, unmodified, pointed at our platform; and ours, by the same script, unchanged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cogyard.errors import CogyardError

from tests.compat import official
from tests.integration.sdk.pythons import assembled, interpreter
from tests.live import MODELS, LivePlatform

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network, pytest.mark.slow]
CLIENT = "replicate==1.0.7"
SCRIPT = Path(__file__).parent / "official_python.py"
OPERATIONS = 93
"""Methods of the official client's namespaces, objects and files, and functions of its module; both ways counted."""


@pytest.fixture(scope="module", params=["official", "ours", "ours on 3.14"])
def results(
    request: pytest.FixtureRequest, live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Run the script where only the official client is installed, or with ours; return what it printed."""
    if "words" not in live_platform.versions:
        project = tmp_path_factory.mktemp("words") / "words"
        shutil.copytree(MODELS / "words", project)
        live_platform.versions["words"] = live_platform.push(project, "words")
    home = tmp_path_factory.mktemp("official")
    if request.param != "official":
        python, mark = (None, "ours") if request.param == "ours" else (_newest(), "ours-3-14")
        found = official.answers_of_ours(live_platform, home, SCRIPT, mark, python=python)
        return {**found, "whose": "ours"}
    return {**official.answers(live_platform, home, SCRIPT, "one", CLIENT), "whose": "official"}


def _newest() -> Path:
    """Return a Python 3.14, on which the official client does not run; skip where there is none."""
    try:
        found = interpreter("3.14") or assembled("3.14")
    except CogyardError as error:
        pytest.skip(f"there is no Python 3.14 on this machine, and {error.message}")
    if found is None:
        pytest.skip("there is no Python 3.14 on this machine, and Debian has none")
    return found


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("run by name", "hello a"),
        ("run by version", "hello b"),
        ("run by polling", "hello c"),
        ("several values", ["one", "two"]),
        ("file", ["FileOutput", "cba"]),
        ("file in pieces", "cba"),
        ("file as data", "zyx"),
        ("file as text", "str"),
        ("one file thrice", ["eciwt", "eciwt", "eciwt"]),
        ("stream", [["output", "1 "], ["output", "2 "], ["output", "3 "], ["done", "{}"]]),
        ("iterator", ["1 ", "2 ", "3 ", "4 "]),
        ("iterator polling", ["1 ", "2 "]),
        ("list of a bare name", ["1 ", "2 "]),
        ("cancel", "canceled"),
        ("cancel by id", True),
        ("get", "canceled"),
        ("as dict", [True, "canceled", "canceled"]),
        ("list", [True, True]),
        ("pages", True),
        ("stream of a prediction", "1 2 3 "),
        ("output as it comes", ["1 ", "2 ", "3 "]),
        ("model error", "told to fail"),
        ("bad input", 422),
        ("missing model", 404),
        ("wrong token", 401),
        ("no name", True),
        ("model reloaded", "tester/hello"),
        ("model", ["tester", "hello", True, "private"]),
        ("model by two", "tester/hello"),
        ("versions", [True]),
        ("version schema", ["text"]),
        ("version created", True),
        ("run of objects", ["hello v", "hello m"]),
        ("predict is no more", True),
        ("created", [True, "private", None]),
        ("hardware", ["cpu"]),
        ("account", "tester"),
        ("organization", [True, "organization", "hello o", 1]),
        ("stored", ["kept.txt", 4, {"a": "b"}, "79f076ab"]),
        ("files", True),
        ("deleted", True),
        ("secret", "whsec_"),
        ("validate", None),
        ("forged", True),
        ("search", True),
        ("models", True),
        ("delete model", True),
        ("model prediction", "hello m"),
        ("deployment", [True, 1, 1, "tester"]),
        ("release", [2, 2]),
        ("deployments", True),
        ("deployment predictions", ["hello d", "hello e", "hello f", "hello g"]),
        ("delete deployment", True),
        ("training", "starting"),
        ("trained", ["succeeded", True]),
        ("learned", "learned one"),
        ("trainings", True),
        ("training stopped", True),
        ("training as prediction", True),
        ("bad destination", 404),
        ("collections", True),
        ("collection", ["Mine", 1, ["hello"], "hello"]),
        ("missing collection", 404),
        ("version deleted again", 404),
        ("versions left", 0),
    ],
)
def test_what_a_user_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Each thing the official client offers gives what it gives on the hosted service."""
    assert results[what] == wanted


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("run", "hello d"),
        ("together", ["hello a", "hello b", "hello c"]),
        ("iterator, wait=True", ["1 ", "2 "]),
        ("iterator, wait=False", ["1 ", "2 "]),
        ("stream", "1 2 "),
        ("file", ["cba", "cba"]),
        ("cancel", "canceled"),
        ("list", True),
        ("pages", True),
        ("prediction's stream", "1 2 "),
        ("output", ["1 ", "2 "]),
        ("model", "tester/hello"),
        ("versions", True),
        ("version", True),
        ("created", True),
        ("models", True),
        ("search", True),
        ("account", "tester"),
        ("hardware", ["cpu"]),
        ("secret", True),
        ("collections", True),
        ("collection", "hello"),
        ("stored", 4),
        ("files", True),
        ("deleted", True),
        ("release", [1, 2]),
        ("deployments", True),
        ("deployment predictions", ["hello d", "hello e", "hello f"]),
        ("delete deployment", True),
        ("training", True),
        ("trainings", True),
        ("training got", True),
    ],
)
def test_what_a_user_does_without_blocking(results: dict[str, Any], what: str, wanted: object) -> None:
    """The asynchronous half gives the same."""
    assert results["asynchronously"][what] == wanted


def test_a_deleted_version(results: dict[str, Any]) -> None:
    """The API answers 202, of which the official client says False though it worked (wire gotcha 11)."""
    assert results["version deleted"] is (results["whose"] == "ours")


def test_every_operation_is_called(results: dict[str, Any]) -> None:
    """The script's list of operations is made of the client's own classes; it calls each of the official one's."""
    if results["whose"] == "ours":
        assert results["operations"] > OPERATIONS  # what is ours alone is tested where it is ours
    else:
        assert (results["operations"], results["left out"]) == (OPERATIONS, [])
