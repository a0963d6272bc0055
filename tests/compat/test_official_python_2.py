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


@pytest.fixture(scope="module")
def results(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script in an environment where only the official client is installed; return what it printed."""
    return official.answers(
        live_platform, tmp_path_factory.mktemp("official"), SCRIPT, CLIENT, "--prerelease=allow"
    )


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("client", "2.0.0-beta.4"),
        ("run", "hello a"),
        ("account.get", "tester"),
        ("hardware.list", ["cpu"]),
        ("collections.list", 0),
        ("collections.get", 404),
        ("webhooks.default.secret.get", "whsec_"),
        ("models.get", "hello"),
        ("models.create", ["by-two", "private"]),
        ("models.update", ["Two words", "https://a.test"]),
        ("models.readme.get", "# Read me"),
        ("models.list", True),
        ("models.search", ["by-two"]),
        ("search", ["by-two"]),
        ("models.delete", None),
        ("models.versions.list", True),
        ("models.versions.get", True),
        ("predictions.create", ["succeeded", "hello b"]),
        ("predictions.get", True),
        ("predictions.list", True),
        ("predictions.cancel", "canceled"),
        ("deadline", True),
        ("models.predictions.create", "hello c"),
        ("models.examples.list", 0),
        ("deployments.create", ["two", 1]),
        ("deployments.get", "tester"),
        ("deployments.update", 2),
        ("deployments.list", True),
        ("deployments.predictions.create", ["hello d", "tester/two"]),
        ("deployments.delete", None),
        ("trainings.create", "starting"),
        ("trainings.get", ["succeeded", "tester/learned-by-two"]),
        ("trained", "learned one"),
        ("trainings.list", True),
        ("trainings.cancel", True),
        ("models.versions.delete", None),
        ("files.create", 4),
        ("files.get", True),
        ("files.list", True),
        ("files.delete", None),
        ("files.download", 404),
        ("bad input", 422),
        ("wrong token", 401),
    ],
)
def test_what_a_user_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Each operation of the client gives what it gives on the hosted service, in the types that it checks."""
    assert results[what] == wanted
