"""A model is trained from its page, and what it made runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.test_api_tab import code_of, pasted
from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000


@pytest.fixture
def destination(live_platform: LivePlatform) -> str:
    """Return a model to train for, made once."""
    with live_platform.http() as http:
        body = {"owner": live_platform.owner, "name": "learned", "visibility": "private", "hardware": "cpu"}
        assert http.post("/v1/models", json=body).status_code in {201, 409}
    return f"{live_platform.owner}/learned"


def test_a_training_makes_a_version_that_runs(
    person: Callable[..., Page], live_platform: LivePlatform, destination: str
) -> None:
    """The form asks for what train() takes and for a destination; the version that comes of it says what it learned."""
    page = person(f"/{live_platform.owner}/learn")
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_label("word").fill("cogs")
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect(page.get_by_label("destination")).to_be_focused()
    page.get_by_label("destination").fill(destination)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("It made")).to_be_visible(timeout=COLD)
    page.get_by_role("link", name="Open training").click()
    expect(page.get_by_role("heading", name="Training")).to_be_visible()
    page.locator(".notice a").click()
    expect(page).to_have_url(page.url)
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".text-out")).to_have_text("learned cogs", timeout=COLD)
    page.goto("/trainings")
    expect(page.locator(".prediction-row").first).to_contain_text(f"for {destination}")


def test_its_code_trains(
    person: Callable[..., Page], live_platform: LivePlatform, destination: str, python: str, tmp_path: Path
) -> None:
    """By either client the code below the form starts a training, waits for it and prints the version."""
    page = person(f"/{live_platform.owner}/learn/train")
    page.get_by_text("The same in code").click()
    code = code_of(page, "python").replace(f"{live_platform.owner}/learn-trained", destination)
    done = pasted([python, "-"], code, live_platform, tmp_path)
    assert done.stdout.startswith("succeeded"), done.stderr
    assert f"{destination}:" in done.stdout


@pytest.mark.network
def test_its_javascript_trains(
    person: Callable[..., Page], live_platform: LivePlatform, destination: str, node_folder: Path
) -> None:
    """The JavaScript below the form does the same with the official client."""
    page = person(f"/{live_platform.owner}/learn/train")
    page.get_by_text("The same in code").click()
    code = code_of(page, "javascript").replace(f"{live_platform.owner}/learn-trained", destination)
    script = node_folder / "training.mjs"
    script.write_text(code)
    done = pasted(["node", str(script)], "", live_platform, node_folder)
    assert done.stdout.startswith("succeeded"), done.stderr
    assert f"{destination}:" in done.stdout
