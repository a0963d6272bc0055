"""A real browser, and a person who is signed in with it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.live import LivePlatform, run

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse battery"

# What a browser says about an answer that a test provoked; the page itself has to be silent.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser for the tests of a module.

    Not of the session: as long as playwright is there, it keeps an event loop running in this thread, and no
    asynchronous test of another module could run.
    """
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, live_platform: LivePlatform) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a fresh browser; at the end no page may have complained."""
    complaints: list[str] = []
    contexts = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED.match(message.text):
            complaints.append(message.text)

    def opened(path: str = "/", *, width: int = 1280, height: int = 860, script: bool = True) -> Page:
        context = chromium.new_context(
            base_url=live_platform.address,
            viewport={"width": width, "height": height},
            accept_downloads=True,
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def person(
    visit: Callable[..., Page], live_platform: LivePlatform, signed_in_state: dict[str, object]
) -> Callable[..., Page]:
    """Return a function that opens a page as the platform's owner."""

    def opened(path: str = "/", **options: Any) -> Page:
        page = visit("/healthz", **options)
        page.context.add_cookies(signed_in_state["cookies"])  # type: ignore[arg-type]  # playwright's own shape
        page.goto(path)
        return page

    return opened


@pytest.fixture(scope="session")
def states() -> dict[str, dict[str, object]]:
    """Return where the browser's state is kept once somebody has signed in: the link works once."""
    return {}


@pytest.fixture(scope="module")
def signed_in_state(
    chromium: Browser, live_platform: LivePlatform, states: dict[str, dict[str, object]]
) -> dict[str, object]:
    """Sign the owner in by the one-time link of the first start, once, and return the browser's cookies."""
    if "owner" not in states:
        home = Path(live_platform.env["DOCKER_CONFIG"]).parent
        link = json.loads((home / "ready.json").read_text())["link"]
        context = chromium.new_context()
        page = context.new_page()
        page.goto(link)
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_role("button", name="Set password and sign in").click()
        page.get_by_role("heading", name="Your models").wait_for()
        states["owner"] = dict(context.storage_state())
        context.close()
    return states["owner"]


def outcome(page: Page, *, patience: float) -> str:
    """Wait until the card on the page has ended; return its status, with its error and log when it failed."""
    card = page.locator("[data-card]:not([data-live])")
    card.wait_for(timeout=patience)
    status = card.get_attribute("data-status") or ""
    return status if status != "failed" else f"failed: {card.inner_text()}"


@pytest.fixture(scope="session")
def official_python(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Python in which only the official client is installed, as the tab's first line does it."""
    home = tmp_path_factory.mktemp("official-python")
    python = home / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home, env=live_platform.env)
    install = ("uv", "pip", "install", "--quiet", "--python", python, "replicate==1.0.7")
    run(*install, cwd=home, env=live_platform.env)
    return str(python)


@pytest.fixture(params=["ours", pytest.param("official", marks=pytest.mark.network)])
def python(request: pytest.FixtureRequest) -> str:
    """Return a Python with a client: ours, or the official one."""
    if request.param == "ours":
        return sys.executable
    found: str = request.getfixturevalue("official_python")
    return found


@pytest.fixture(scope="session")
def node_folder(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the official npm client is installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")
    home = tmp_path_factory.mktemp("official-node")
    npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", home, "replicate@1.4.0")
    run(*npm, cwd=home, env=live_platform.env)
    return home
