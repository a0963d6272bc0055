"""What an owner does on pages: examples, collections, settings, instances, predictions, tokens, webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000
BROKEN = """
from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self):
        print("\\x1b[31mlooking for weights\\x1b[0m <script>alert(1)</script>", flush=True)
        raise RuntimeError("no weights")

    def predict(self, text: str) -> str:
        return text
"""
TALKING = """
import time

from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self, text: str) -> str:
        print("\x1b[32mhalfway\x1b[0m", flush=True)
        while True:
            time.sleep(0.05)
"""


#: What somebody who does not see the page, or has no mouse, would stumble over.
STUMBLES = """() => {
  const found = [], ids = new Map();
  for (const { id } of document.querySelectorAll('[id]')) ids.set(id, (ids.get(id) ?? 0) + 1);
  for (const [id, count] of ids) if (count > 1) found.push(`two ${id}`);
  for (const one of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
    const hidden = one.closest('[hidden]') || one.getAttribute('aria-hidden');
    if (!hidden && !one.labels?.length && !one.getAttribute('aria-label')) found.push(`no label: ${one.outerHTML}`);
  }
  for (const one of document.querySelectorAll('a, button, summary')) {
    if (!one.textContent.trim() && !one.getAttribute('aria-label')) found.push(`no name: ${one.outerHTML}`);
    if (one.tabIndex < 0 && one.getAttribute('role') !== 'tab') found.push(`no way there: ${one.outerHTML}`);
  }
  for (const part of ['aria-describedby', 'aria-controls', 'aria-labelledby']) {
    for (const one of document.querySelectorAll(`[${part}]`)) {
      for (const id of one.getAttribute(part).split(' ')) if (!ids.has(id)) found.push(`${part} of nothing: ${id}`);
    }
  }
  const levels = [...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]));
  if (levels.some((level, index) => level - (levels[index - 1] ?? 0) > 1)) found.push(`headings ${levels}`);
  return found;
}"""


def project(folder: Path, code: str) -> Path:
    """Write a project with this predictor and return its folder."""
    (folder / "cog.yaml").write_text('build:\n  python_version: "3.11"\npredict: "predict.py:Predictor"\n')
    (folder / "predict.py").write_text(code)
    return folder


def said_yes(page: Page) -> Page:
    """Answer every question of a page with yes."""
    page.on("dialog", lambda dialog: dialog.accept())
    return page


def ran(page: Page, live_platform: LivePlatform, text: str) -> str:
    """Run hello by its form and return the address of the prediction."""
    page.goto(f"/{live_platform.owner}/hello")
    page.get_by_label("text").fill(text)
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#output-slot .text-out")).to_have_text(f"hello {text}", timeout=COLD)
    page.get_by_role("link", name="Open prediction").click()
    expect(page.get_by_role("heading", name="Prediction")).to_be_visible()
    return page.url


def test_an_example_is_seen_by_strangers(
    person: Callable[..., Page], visit: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """Saved from a prediction's page, it is on the page of the model that is public now, and at its own address."""
    page = said_yes(person("/"))
    address = ran(page, live_platform, "everybody")
    page.get_by_role("button", name="Save as the default example").click()
    expect(page.locator(".example")).to_contain_text("hello everybody")
    page.get_by_role("link", name="Settings").click()
    page.get_by_text("Public", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    stranger = visit(f"/{live_platform.owner}/hello")
    expect(stranger.locator("#output-slot .text-out")).to_have_text("hello everybody")
    expect(stranger.get_by_label("text")).to_have_value("everybody")
    stranger.goto(address)
    expect(stranger.get_by_role("definition").filter(has_text="everybody")).to_be_visible()
    expect(stranger.get_by_role("button", name="Delete")).to_have_count(0)
    page.get_by_text("Private", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Examples").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No examples yet")).to_be_visible()
    stranger.goto(address)
    expect(stranger.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_a_collection(
    person: Callable[..., Page], visit: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """The administrator makes and fills it; strangers see it without what is private."""
    page = said_yes(person("/explore"))
    page.get_by_role("link", name="Collections").click()
    page.get_by_text("New collection").click()
    page.get_by_label("Address").fill("first-steps")
    page.get_by_label("Name", exact=True).fill("First steps")
    page.get_by_role("button", name="Create collection").click()
    page.get_by_label("Model to add").fill(f"{live_platform.owner}/count")
    page.get_by_role("button", name="Add model").click()
    expect(page.get_by_role("link", name=f"{live_platform.owner}/count")).to_be_visible()
    stranger = visit("/collections/first-steps")
    expect(stranger.get_by_role("heading", name="First steps")).to_be_visible()
    expect(stranger.get_by_text("No models in it that you may see.")).to_be_visible()
    page.get_by_role("button", name="Delete collection").click()
    expect(page.get_by_role("heading", name="Collections")).to_be_visible()
    expect(page.get_by_role("link", name="First steps")).to_have_count(0)


def test_a_prediction_is_found_by_filters_and_deleted(
    person: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """The list shows what was asked for, and what was deleted there no more."""
    page = said_yes(person("/"))
    address = ran(page, live_platform, "short-lived")
    page.goto("/predictions")
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_label("Source").select_option("web")
    page.get_by_label("Model").fill(f"{live_platform.owner}/hello")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("short-lived").click()
    expect(page).to_have_url(address)
    page.get_by_role("button", name="Delete prediction").click()
    expect(page.get_by_text("Deleted, with its files.")).to_be_visible()
    expect(page.get_by_text("short-lived")).to_be_hidden()


def test_why_a_model_does_not_start(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """A prediction of a model whose setup fails says so, and its owner finds the log; as text, without colours."""
    live_platform.push(project(tmp_path, BROKEN), "broken")
    page = person(f"/{live_platform.owner}/broken")
    page.get_by_label("text").fill("x")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".error-box")).to_contain_text("no weights", timeout=COLD)
    expect(page.get_by_text("The model did not start")).to_be_visible()
    page.get_by_role("link", name="How its instances fared").click()
    ended = page.locator(".ended-one").first
    expect(ended).to_contain_text("did not start")
    expect(ended).to_contain_text("looking for weights <script>alert(1)</script>")
    assert "[31m" not in ended.inner_text()


def test_a_log_comes_while_the_model_runs(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """What a model prints is on the page before it ends, also of one that streams no text; and Cancel ends it."""
    live_platform.push(project(tmp_path, TALKING), "talking")
    page = person(f"/{live_platform.owner}/talking")
    page.get_by_label("text").fill("x")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-card]")).to_have_attribute("data-status", "processing", timeout=COLD)
    page.get_by_text("Logs", exact=True).click()
    expect(page.locator("[data-logs]")).to_have_text("halfway")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-card]")).to_have_attribute("data-status", "canceled", timeout=COLD)


def test_a_token_for_looking_only(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """It is shown once, can look and nothing else, says when it was used, and is gone when it is revoked."""
    page = said_yes(person("/account/api-tokens"))
    page.get_by_label("Name of the token").fill("a monitor")
    page.get_by_label("It may").select_option("read")
    page.get_by_label("It ends after").select_option("7")
    page.get_by_role("button", name="Create token").click()
    token = page.locator(".notice pre").inner_text().strip()
    with live_platform.http(token=token) as http:
        assert http.get("/v1/account").status_code == 200
        assert http.post("/v1/files", files={"content": ("a", b"x")}).status_code == 403
        page.goto("/account/api-tokens")
        row = page.locator(".token-row").filter(has_text="a monitor")
        expect(row).to_contain_text("used just now")
        expect(row).to_contain_text("ends in 7 days")
        assert token not in page.content()
        row.get_by_role("button", name="Revoke").click()
        expect(row).to_have_count(0)
        assert http.get("/v1/account").status_code == 401


def test_an_endpoint_that_nobody_answers(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """Every try is listed with its reason, what is next says when, and a button tells it once more."""
    page = said_yes(person("/account/webhooks"))
    page.get_by_text("New endpoint").click()
    page.get_by_label("Address").fill("https://hooks.invalid/cogyard")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.locator(".notice pre")).to_contain_text("whsec_")
    ran(page, live_platform, "told")
    tries = page.locator("#webhooks .tries tbody tr")
    expect(tries.first).to_contain_text("no answer")
    expect(page.locator("#webhooks .tries-waiting")).to_contain_text("1 failure, next try in")
    page.goto("/account/webhooks")
    expect(page.locator("#deliveries")).to_contain_text("https://hooks.invalid/cogyard")
    page.locator(".thing-row a").first.click()
    page.get_by_role("button", name="Delete endpoint").click()
    expect(page.get_by_text("None yet.")).to_be_visible()


@pytest.fixture(scope="module")
def long_names(live_platform: LivePlatform) -> Iterator[str]:
    """Make one of each thing with the longest name there may be, without a space."""
    name, owner = "n" * 64, live_platform.owner
    model = {
        "owner": owner,
        "name": name,
        "visibility": "public",
        "hardware": "cpu",
        "description": "W" * 500,
    }
    with live_platform.http() as http:
        http.post("/v1/models", json=model).raise_for_status()
        http.put(f"/v1/collections/{name}", json={"name": "C" * 100, "description": "W" * 500})
        http.put(f"/v1/collections/{name}/models/{owner}/{name}").raise_for_status()
        token = http.post("/v1/tokens", json={"name": "T" * 100, "expires_in": 3600}).json()["id"]
        address = "https://hooks.invalid/" + "u" * 1900
        endpoint = http.post("/v1/webhooks/endpoints", json={"url": address, "enabled": False}).json()["id"]
        version = live_platform.versions["hello"]
        size = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
        made = {"name": name, "model": f"{owner}/hello", "version": version, **size}
        http.post("/v1/deployments", json=made).raise_for_status()
        organization = {"username": "long-named", "name": "O" * 80}
        http.post("/v1/organizations", json=organization).raise_for_status()
        yield name
        http.delete(f"/v1/deployments/{owner}/{name}").raise_for_status()
        http.delete(f"/v1/webhooks/endpoints/{endpoint}")
        http.delete(f"/v1/tokens/{token}")
        http.delete(f"/v1/collections/{name}")
        http.delete("/v1/organizations/long-named").raise_for_status()
        http.delete(f"/v1/models/{owner}/{name}").raise_for_status()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_is_wider_than_the_screen(
    width: int, person: Callable[..., Page], live_platform: LivePlatform, long_names: str
) -> None:
    """On a phone as on a desk, whatever things are called; each page has one heading, a title, names for all it has."""
    page, owner = person("/", width=width), live_platform.owner
    tabs = ("", "/api", "/examples", "/readme", "/versions", "/instances", "/settings")
    paths = [f"/{owner}/hello{tab}" for tab in tabs]
    paths += [f"/{owner}/learn/train", "/trainings", "/predictions", "/collections", "/explore"]
    paths += [
        "/deployments",
        "/deployments/create",
        "/account/webhooks",
        "/account/api-tokens",
        "/account/retention",
    ]
    paths += [f"/{owner}/{long_names}", f"/{owner}/{long_names}/settings", f"/{owner}"]
    paths += ["/organizations", "/long-named", "/organizations/long-named/members"]
    paths += [f"/collections/{long_names}", f"/collections/{long_names}/edit"]
    tabs_of_deployment = ("", "/api", "/predictions", "/instances", "/releases", "/settings")
    paths += [f"/deployments/{owner}/{long_names}{tab}" for tab in tabs_of_deployment]
    with live_platform.http() as http:
        asked = {"version": live_platform.versions["hello"], "input": {"text": "W" * 500}}
        made = http.post("/v1/predictions", json=asked, headers={"Prefer": "wait"}).json()
    paths.append(f"/p/{made['id']}")
    titles = set()
    for path in paths:
        page.goto(path)
        over = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, path
        assert page.locator("h1").count() == 1, path
        assert page.evaluate(STUMBLES) == [], path
        titles.add(page.title())
    assert len(titles) >= len(paths) - len(tabs) - len(tabs_of_deployment) - 1
