"""Every kind of field takes what a person gives, and the model gets exactly that."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.web.conftest import outcome
from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000
PROJECT = Path(__file__).parent / "kinds"


@pytest.fixture(scope="session")
def kinds(live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Push the model with every kind of input; return the address of its page."""
    folder = tmp_path_factory.mktemp("kinds") / "kinds"
    shutil.copytree(PROJECT, folder)
    live_platform.push(folder, "kinds")
    return f"/{live_platform.owner}/kinds"


def given(page: Page) -> dict[str, str]:
    """Return what the model says it was given, by name."""
    assert outcome(page, patience=COLD) == "succeeded"
    rows = page.locator("[data-output] .object-out").first.locator("> div")
    found = {}
    for row in rows.all():
        found[row.locator("dt").first.inner_text()] = re.sub(
            r"\s+", " ", row.locator("dd").first.inner_text()
        )
    return found


def field(page: Page, name: str) -> str:
    """Return the selector of a field."""
    return f"[data-name={name}]"


def test_what_is_left_alone_is_the_default(person: Callable[..., Page], kinds: str) -> None:
    """A form in which only what is required is filled in runs with the author's defaults."""
    page = person(kinds)
    page.get_by_label("text", exact=True).fill("x")
    page.get_by_role("button", name="Run").click()
    assert given(page) == {
        "text": "x",
        "count": "null",
        "share": "0.5",
        "flag": "true",
        "style": "oil",
        "level": "2",
        "key": "0",
        "words": "a",
        "pictures": "",
        "options": "empty object",
    }


def test_every_kind_takes_what_is_given(person: Callable[..., Page], kinds: str) -> None:
    """Each field's value arrives as it was given; the secret is on no page afterwards."""
    page = person(kinds)
    page.get_by_label("text", exact=True).fill('<b>"two"\nlines</b>')
    page.get_by_label("count").fill("-7")
    page.get_by_label("share").fill("0,25")
    page.get_by_label("flag").uncheck()
    page.get_by_label("style").select_option(label="ink")
    page.get_by_label("level").select_option(label="4")
    page.get_by_label("key", exact=True).fill("hunter2-is-secret")
    page.get_by_role("button", name="Add string").click()
    page.keyboard.type("b c")
    pictures = page.locator(field(page, "pictures"))
    for number in ("one", "two"):
        pictures.get_by_role("button", name="Add file").click()
        file = FilePayload(name=f"{number}.txt", mimeType="text/plain", buffer=number.encode())
        pictures.locator("[data-picker]").last.set_input_files(file)
        expect(pictures.locator("[data-file-name]").last).to_have_text(f"{number}.txt")
    page.get_by_label("options").fill('{"deep": [1, {"x": null}]}')
    page.keyboard.press("Control+Enter")
    found = given(page)
    assert found.pop("options").startswith("deep")
    assert found == {
        "text": '<b>"two" lines</b>',
        "count": "-7",
        "share": "0.25",
        "flag": "false",
        "style": "ink",
        "level": "4",
        "key": "17",
        "words": "a|b c",
        "pictures": "one|two",
    }
    page.get_by_role("link", name="Open prediction").click()
    assert "hunter2-is-secret" not in page.content()


def test_wrong_values_are_said_beside_their_fields(person: Callable[..., Page], kinds: str) -> None:
    """Each field that is wrong says why, and the first of them has the focus."""
    page = person(kinds)
    page.get_by_label("text", exact=True).fill("x")
    page.get_by_label("count").fill("1.5")
    page.get_by_label("share").fill("two")
    page.get_by_label("options").fill("{")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(f"{field(page, 'count')} [data-problem]")).to_have_text("1.5 is not a whole number.")
    expect(page.locator(f"{field(page, 'share')} [data-problem]")).to_contain_text("is not a number")
    expect(page.locator(f"{field(page, 'options')} [data-problem]")).to_contain_text("This is not JSON")
    expect(page.get_by_label("count")).to_be_focused()
    expect(page.locator("[data-run-note]")).to_have_text("3 fields need attention.")


def test_what_only_the_platform_knows_is_said_beside_the_field_too(
    person: Callable[..., Page], kinds: str
) -> None:
    """A refusal of the API is shown where the refused value is."""
    page = person(kinds)
    page.get_by_label("text", exact=True).fill("x")
    page.get_by_label("options").fill("[1]")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(f"{field(page, 'options')} [data-problem]")).to_be_visible()
    expect(page.locator("[data-run-note]")).to_have_text("The platform refused this input.")


def test_reset_and_tweak(person: Callable[..., Page], kinds: str) -> None:
    """Reset brings the defaults back; a prediction's address brings its input back, without its secret."""
    page = person(kinds)
    page.get_by_label("text", exact=True).fill("x")
    page.get_by_label("key", exact=True).fill("hunter2")
    page.get_by_label("words, entry 1").fill("changed")
    page.get_by_label("share").fill("0.75")
    page.get_by_role("button", name="Run").click()
    assert outcome(page, patience=COLD) == "succeeded"
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("text", exact=True)).to_have_value("")
    expect(page.get_by_label("words, entry 1")).to_have_value("a")
    expect(page.get_by_label("share")).to_have_value("0.5")
    page.reload()
    expect(page.get_by_label("text", exact=True)).to_have_value("x")
    expect(page.get_by_label("words, entry 1")).to_have_value("changed")
    expect(page.get_by_label("share")).to_have_value("0.75")
    expect(page.get_by_label("key", exact=True)).to_have_value("")
    expect(page.locator("[data-card]")).to_have_attribute("data-status", "succeeded")
