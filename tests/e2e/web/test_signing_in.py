"""A person comes in by a link, and later by a password."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.conftest import PASSWORD
from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]


def test_the_link_signs_in_and_the_password_that_was_set_works(
    visit: Callable[..., Page], signed_in_state: object, live_platform: LivePlatform
) -> None:
    """Who set a password by the one-time link signs in with it from then on, and lands where they wanted."""
    page = visit("/create")
    expect(page).to_have_url(f"{live_platform.address}/signin?next=/create")
    page.get_by_label("User name").fill(live_platform.owner)
    page.get_by_label("Password").fill("not it at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{live_platform.address}/create")


def test_a_link_works_once(visit: Callable[..., Page], live_platform: LivePlatform) -> None:
    """A link that was used, or that nobody gave, signs nobody in and says what to do."""
    page = visit("/signin/link/nobody-gave-this-one")
    expect(page.get_by_role("alert")).to_contain_text("Ask for a new one")
    page.goto("/predictions")
    expect(page).to_have_url(f"{live_platform.address}/signin?next=/predictions")


def test_signing_out_ends_it(
    visit: Callable[..., Page], signed_in_state: object, live_platform: LivePlatform
) -> None:
    """After signing out the pages are a stranger's."""
    # A session of its own: the one that other tests share would end with it.
    page = visit("/signin")
    page.get_by_label("User name").fill(live_platform.owner)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
