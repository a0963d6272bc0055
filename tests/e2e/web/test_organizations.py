"""An organization in a real browser: made, acted for, run for, and left to itself again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000


def test_a_run_for_an_organization(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """The menu says whom one acts for; what is run meanwhile is listed there, with who asked, not among one's own."""
    page = person("/organizations/create")
    page.get_by_label("Name", exact=True).fill("seen-org")
    page.get_by_label("Name to show").fill("Seen")
    page.get_by_role("button", name="Create organization").click()
    expect(page.get_by_role("heading", name="Seen")).to_be_visible()
    expect(page.locator(".who")).to_have_text("seen-org")

    page.goto(f"/{live_platform.owner}/hello")
    page.get_by_label("text").fill("members")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".text-out")).to_have_text("hello members", timeout=COLD)
    page.get_by_role("link", name="Open prediction").click()
    expect(page.locator(".facts")).to_contain_text(f"by {live_platform.owner}")
    key = page.url.rpartition("/")[2]
    assert re.fullmatch(r"[a-z0-9]{26}", key)
    page.goto("/predictions")
    expect(page.locator(f"a[href='/p/{key}']")).to_be_visible()

    page.locator("summary", has=page.locator(".who")).click()
    page.get_by_role("button", name="Act for yourself").click()
    expect(page.locator(".who")).to_have_text(live_platform.owner)
    page.goto("/predictions")
    expect(page.get_by_role("heading", name="Predictions")).to_be_visible()
    expect(page.locator(f"a[href='/p/{key}']")).to_have_count(0)


def test_an_organization_works_without_a_script_and_on_a_small_screen(person: Callable[..., Page]) -> None:
    """Made, somebody unknown invited and the reason told, deleted: all by forms, with nothing beside the screen."""
    page = person("/organizations/create", script=False, width=390, height=800)
    page.get_by_label("Name", exact=True).fill("plain-org")
    page.get_by_role("button", name="Create organization").click()
    page.get_by_label("User name").fill("nobody-here")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody-here")
    wide = page.locator("main")
    box = wide.bounding_box()
    assert box is not None
    assert box["width"] <= 390
    page.get_by_role("link", name="Settings").click()
    page.get_by_label(re.compile("to confirm")).fill("plain-org")
    page.get_by_role("button", name="Delete organization").click()
    expect(page.get_by_role("heading", name="Organizations")).to_be_visible()
