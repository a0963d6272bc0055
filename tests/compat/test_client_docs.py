"""The client's pages: each of their code blocks, done as it is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.live import LivePlatform, run

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network]
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "fewest"), [("packages/client/README.md", 1), ("docs/reference/client.md", 14)]
)
def test_every_block_runs(page: str, fewest: int, live_platform: LivePlatform, tmp_path: Path) -> None:
    """A reader who types a page, with an own name for `me`, sees no error, and no warning of Python's."""
    blocks = BLOCK.findall((ROOT / page).read_text("utf-8"))
    assert len(blocks) >= fewest
    script = tmp_path / "page.py"
    text = re.sub(r'"me([/"])', rf'"{live_platform.owner}\1', "\n".join(blocks))
    script.write_text(text.replace("me/", f"{live_platform.owner}/"), "utf-8")
    (tmp_path / "in.bin").write_bytes(b"abc" * 1000)
    done = run(sys.executable, "-W", "error::DeprecationWarning", script, cwd=tmp_path, env=live_platform.env)
    if page.startswith("docs"):
        assert (tmp_path / "out.bin").read_bytes() == b"cba" * 1000
        assert "1 2 3 " in done.stdout
        assert "learned yes" in done.stdout
