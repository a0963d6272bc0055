"""Objects and errors of httpx, as code for the official client uses them, with ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat import official
from tests.live import LivePlatform

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network]
SCRIPT = Path(__file__).parent / "official_httpx.py"


@pytest.fixture(scope="module")
def results(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the script with our client and httpx."""
    home = tmp_path_factory.mktemp("httpx")
    return official.answers_of_ours(live_platform, home, SCRIPT, "httpx", beside=("httpx",))


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("transport", "hello a"),
        ("hooks", ["here"]),
        ("file", [200_000, 200_000]),
        ("stream", "1 2 3 "),
        ("async transport", ["hello b", ["1 ", "2 "], "1 2 "]),
        ("mock", "mock"),
        ("auth", "Basic dTpw"),
        ("mounts", "mock"),
        ("errors", [True] * 4),
        ("refused", True),
    ],
)
def test_what_code_written_with_httpx_does(results: dict[str, Any], what: str, wanted: object) -> None:
    """Transports, limits, hooks, headers and proofs are taken; what went wrong is caught as httpx's errors."""
    assert results[what] == wanted
