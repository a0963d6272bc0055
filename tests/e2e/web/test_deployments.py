"""A version is deployed, asked, changed, rolled back and let go from pages alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.test_api_tab import code_of, pasted
from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000


@pytest.fixture
def front(person: Callable[..., Page], live_platform: LivePlatform) -> Iterator[str]:
    """Make a deployment of hello by its form, return its address, and delete it in the end."""
    page = person(f"/{live_platform.owner}/hello")
    page.get_by_role("link", name="Deploy", exact=True).click()
    expect(page.get_by_label("Model")).to_have_value(f"{live_platform.owner}/hello")
    page.get_by_label("Name", exact=True).fill("front")
    page.get_by_role("button", name="Create deployment").click()
    path = f"/deployments/{live_platform.owner}/front"
    expect(page).to_have_url(f"{live_platform.address}{path}")
    yield path
    with live_platform.http() as http:
        for asked in http.get(f"/v1{path}/predictions").json()["results"]:
            http.post(f"/v1/predictions/{asked['id']}/cancel")
    page.goto(f"{path}/settings")
    page.get_by_placeholder(path.removeprefix("/deployments/")).fill(path.removeprefix("/deployments/"))
    page.get_by_role("button", name="Delete deployment").click()
    expect(page.get_by_text("No deployments yet")).to_be_visible()


def test_its_whole_life(front: str, person: Callable[..., Page]) -> None:
    """It runs by its form on an instance of its own; a save is a release, and an earlier one comes back by a button."""
    page = person(front)
    expect(page.get_by_text("No instance is running")).to_be_visible()
    page.get_by_label("text").fill("Ada")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".text-out")).to_have_text("hello Ada", timeout=COLD)
    expect(page.locator("#living")).to_contain_text("idle")
    page.get_by_role("link", name="Predictions", exact=True).last.click()
    expect(page.locator(".prediction-row")).to_have_count(1)
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("At most").fill("2")
    page.get_by_role("button", name="Save as a new release").click()
    expect(page.get_by_text("Release 2 is current.")).to_be_visible()
    page.get_by_role("link", name="Releases").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Roll back to 1").click()
    expect(page.locator(".release-row").first).to_contain_text("3")
    expect(page.locator(".release-row").first).to_contain_text("current")
    expect(page.get_by_role("button", name="Roll back to 2")).to_be_visible()


def test_it_is_asked_where_no_script_runs(front: str, person: Callable[..., Page]) -> None:
    """The form that needs a script is not there; the plain one leads to the prediction."""
    page = person(front, script=False)
    expect(page.locator("#run-form")).to_be_hidden()
    page.get_by_label("Input, as JSON").fill('{"text": "Bob"}')
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Prediction")).to_be_visible()
    expect(page.get_by_text("Bob")).to_be_visible()


def test_its_code_runs(
    front: str, person: Callable[..., Page], live_platform: LivePlatform, python: str, tmp_path: Path
) -> None:
    """What its API tab shows asks the deployment as it stands, in a shell and in Python by either client."""
    page = person(front)
    page.get_by_label("text").fill("it's $HOME")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_text("With the input that is in the Run tab")).to_be_visible()
    done = pasted([python, "-"], code_of(page, "python"), live_platform, tmp_path)
    assert done.stdout == "succeeded hello it's $HOME\n", done.stderr
    shell = pasted(["/bin/sh", "-s"], code_of(page, "shell"), live_platform, tmp_path)
    assert f'"deployment":"{live_platform.owner}/front"' in shell.stdout, shell.stderr


@pytest.mark.network
def test_its_javascript_runs(
    front: str, person: Callable[..., Page], live_platform: LivePlatform, node_folder: Path
) -> None:
    """The JavaScript tab's code asks the deployment with the official client."""
    script = node_folder / "deployment.mjs"
    script.write_text(code_of(person(f"{front}/api"), "javascript"))
    done = pasted(["node", str(script)], "", live_platform, node_folder)
    assert done.stdout == "succeeded hello …\n", done.stderr
