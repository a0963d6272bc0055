"""The project's own examples, on their pages, with real weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.web.conftest import outcome
from tests.live import LivePlatform

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.xdist_group("platform"),
]

EXAMPLES = Path(__file__).parents[3] / "examples"
COLD = 240_000


def example(name: str, folder: Path) -> Path:
    """Return a copy of an example with its weights, which are fetched when they are not there."""
    fetch = EXAMPLES / name / "fetch_weights.py"
    if fetch.exists():
        done = subprocess.run(
            [sys.executable, str(fetch)], capture_output=True, text=True, timeout=280, check=False
        )
        if done.returncode:
            pytest.skip(f"the weights of {name} cannot be fetched here: {done.stderr.strip()[-300:]}")
    return Path(shutil.copytree(EXAMPLES / name, folder / name))


def test_upscale_makes_a_small_picture_larger(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """A picture is picked, its size is doubled by the model, and the page shows the larger one."""
    live_platform.push(example("upscale", tmp_path), "upscale")
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(tmp_path / "small.png")
    page = person(f"/{live_platform.owner}/upscale")
    page.locator("[data-picker]").set_input_files(tmp_path / "small.png")
    expect(page.locator("[data-preview] img")).to_be_visible()
    page.get_by_label("scale").fill("2")
    page.get_by_role("button", name="Run").click()
    picture = page.locator(".media img")
    assert outcome(page, patience=COLD) == "succeeded"
    expect(page.locator("[data-dimensions]")).to_have_text("160 \N{MULTIPLICATION SIGN} 120")
    expect(picture).to_be_visible()
    answer = page.request.get(picture.get_attribute("src") or "")
    assert Image.open(BytesIO(answer.body())).size == (160, 120)


def test_chat_streams_its_answer(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """A language model's answer grows on the page while it is being made."""
    live_platform.push(example("chat", tmp_path), "chat")
    page = person(f"/{live_platform.owner}/chat")
    # Always the same words, and enough of them that their coming can be seen.
    page.get_by_label("prompt", exact=True).fill("Write a long story about the keeper of a lighthouse.")
    page.get_by_label("temperature").fill("0")
    page.get_by_role("button", name="Run").click()
    growing = page.locator("[data-stream-text]")
    expect(growing).not_to_be_empty(timeout=COLD)
    first = growing.inner_text()
    page.wait_for_function(
        "(before) => (document.querySelector('.text-out')?.textContent.length ?? 0) > before", arg=len(first)
    )
    assert outcome(page, patience=COLD) == "succeeded"
    assert page.locator(".text-out").inner_text().startswith(first.strip())
