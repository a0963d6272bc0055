"""The second generation of the official Python client, unmodified, pointed at our platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat import official
from tests.live import LivePlatform

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network, pytest.mark.slow]
CLIENT = "replicate==2.0.0b4"
SCRIPT = Path(__file__).parent / "official_python_2.py"
OPERATIONS = 100
"""Methods of the client's resources, of the client, its files, and what `use` gives; both ways counted."""


@pytest.fixture(scope="module")
def results(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script in an environment where only the official client is installed; return what it printed."""
    home = tmp_path_factory.mktemp("official")
    return official.answers(live_platform, home, SCRIPT, "two", CLIENT, "--prerelease=allow")


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("client", "2.0.0-beta.4"),
        ("run", "hello a"),
        ("file", ["FileOutput", "cba", "cba"]),
        ("use", ["1 2 ", ["1 ", "2 "], "1 2 "]),
        ("use in steps", ["hello u", True, True]),
        ("stream", ["1 ", "2 "]),
        ("raw", "tester"),
        ("streamed", "tester"),
        ("options", "tester"),
        ("account.get", "tester"),
        ("hardware.list", ["cpu"]),
        ("collections.list", True),
        ("collections.one", ["hello"]),
        ("collections.get", 404),
        ("webhooks.default.secret.get", "whsec_"),
        ("models.get", "hello"),
        ("models.create", [True, "private"]),
        ("models.update", ["Two words", "https://a.test"]),
        ("models.readme.get", "# Read me"),
        ("models.list", True),
        ("models.search", True),
        ("search", True),
        ("models.delete", None),
        ("models.versions.list", True),
        ("models.versions.get", True),
        ("predictions.create", ["succeeded", "hello b"]),
        ("predictions.get", True),
        ("predictions.wait", "succeeded"),
        ("predictions.list", True),
        ("predictions.cancel", "canceled"),
        ("deadline", True),
        ("models.predictions.create", "hello c"),
        ("models.examples.list", 0),
        ("deployments.create", [True, 1]),
        ("deployments.get", "tester"),
        ("deployments.update", 2),
        ("deployments.list", True),
        ("deployments.predictions.create", ["hello d", True]),
        ("deployments.delete", None),
        ("trainings.create", "starting"),
        ("trainings.get", ["succeeded", True]),
        ("trained", "learned one"),
        ("trainings.list", True),
        ("trainings.cancel", True),
        ("models.versions.delete", None),
        ("files.create", 4),
        ("files.get", True),
        ("files.list", True),
        ("files.download of a file", "kept"),
        ("files.delete", None),
        ("files.download", 404),
        ("bad input", 422),
        ("wrong token", 401),
    ],
)
def test_what_a_user_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Each operation of the client gives what it gives on the hosted service, in the types that it checks."""
    assert results[what] == wanted


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("run", "hello a"),
        ("file", ["AsyncFileOutput", "cba", "cba"]),
        ("use", ["1 2 ", ["1 ", "2 "], "1 2 "]),
        ("use in steps", ["hello u", True, True]),
        ("stream", ["1 ", "2 "]),
        ("options", "tester"),
        ("account.get", "tester"),
        ("hardware.list", ["cpu"]),
        ("collections.list", True),
        ("collections.get", "Mine"),
        ("webhooks.default.secret.get", "whsec_"),
        ("models.get", "hello"),
        ("models.update", "Three words"),
        ("models.readme.get", "# Read me"),
        ("models.list", True),
        ("models.search", True),
        ("search", True),
        ("models.delete", None),
        ("models.versions.list", True),
        ("models.versions.get", True),
        ("models.examples.list", 0),
        ("predictions.create", ["succeeded", "hello b"]),
        ("predictions.get", True),
        ("predictions.wait", "succeeded"),
        ("predictions.list", True),
        ("predictions.cancel", "canceled"),
        ("models.predictions.create", "hello c"),
        ("deployments.get", "tester"),
        ("deployments.update", 2),
        ("deployments.list", True),
        ("deployments.predictions.create", "hello d"),
        ("deployments.delete", None),
        ("trainings.cancel", True),
        ("trainings.get", True),
        ("trainings.list", True),
        ("models.versions.delete", 404),
        ("files.get", 4),
        ("files.list", True),
        ("files.delete", None),
        ("files.download", 404),
    ],
)
def test_what_a_user_does_without_blocking(results: dict[str, Any], what: str, wanted: object) -> None:
    """The asynchronous half gives the same."""
    assert results["asynchronously"][what] == wanted


def test_every_operation_is_called(results: dict[str, Any]) -> None:
    """The script's list of operations is made of the client's own classes, and it calls each of them."""
    assert (results["operations"], results["left out"]) == (OPERATIONS, [])
