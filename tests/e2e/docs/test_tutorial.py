"""The tutorial, in both languages, done as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.docs.console import Reader, steps
from tests.live import own_environment

ROOT = Path(__file__).parents[3]
PAGES = ("docs/tutorial.md", "docs/zh/tutorial.md")


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.xdist_group("tutorial")
@pytest.mark.parametrize("page", PAGES)
def test_every_step_does_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """A reader who types the tutorial sees what it shows."""
    work = tmp_path / "work"
    work.mkdir()
    env = {**own_environment(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    reader = Reader(work, env)
    try:
        for step in steps((ROOT / page).read_text(encoding="utf-8")):
            reader.do(step)
    finally:
        reader.close()


def test_both_languages_type_the_same() -> None:
    """The translation changes the words, not the commands."""
    english, chinese = ([*steps((ROOT / page).read_text(encoding="utf-8"))] for page in PAGES)
    assert english == chinese
