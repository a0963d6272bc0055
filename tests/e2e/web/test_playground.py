"""A model is run from its page, by a form made from its schema."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.live import MODELS, LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]

COLD = 60_000


def test_hello(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """Text goes in, Ctrl-Enter runs it, text comes out, with the log, the times and an address of its own."""
    page = person(f"/{live_platform.owner}/hello")
    page.get_by_label("text").fill("Ada")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".text-out")).to_have_text("hello Ada", timeout=COLD)
    expect(page.locator("[data-card]")).to_have_attribute("data-status", "succeeded")
    page.get_by_text("Logs", exact=True).click()
    expect(page.locator("[data-logs]")).to_contain_text("greeting Ada")
    expect(page.locator(".timings")).to_contain_text("ran")
    page.get_by_role("link", name="Open prediction").click()
    expect(page).to_have_url(re.compile(r"/p/[a-z0-9]{26}$"))
    expect(page.locator(".text-out").last).to_have_text("hello Ada")
    page.get_by_role("link", name="Tweak it").click()
    expect(page.get_by_label("text")).to_have_value("Ada")


def test_a_required_field_is_asked_for(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """Nothing runs without what is required; the field says so and has the focus."""
    page = person(f"/{live_platform.owner}/hello")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect(page.get_by_label("text")).to_be_focused()


def test_limits_are_said_before_anything_is_sent(
    person: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """A number past its maximum is told its limit; the slider moves the number."""
    page = person(f"/{live_platform.owner}/count")
    box = page.get_by_label("to", exact=True)
    box.fill("10001")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("10001 is more than the maximum, 10000.")).to_be_visible()
    page.locator("[data-name=to] [data-range]").evaluate(
        "(range) => { range.value = 42; range.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    expect(box).to_have_value("42")
    expect(page.get_by_text("more than the maximum")).to_be_hidden()


def test_text_streams_and_a_cancel_stops_it(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """Text appears while the model makes it, and Cancel ends the run in a moment."""
    page = person(f"/{live_platform.owner}/count")
    page.get_by_label("to", exact=True).fill("1000")
    page.get_by_label("pause").fill("0.05")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-stream-text]")).to_contain_text("1 2 3 ", timeout=COLD)
    # Functions, not expressions: the page's policy forbids to evaluate text.
    growing = "(before) => document.querySelector('[data-stream-text]').textContent.length > before"
    page.wait_for_function(growing, arg=len(page.locator("[data-stream-text]").inner_text()))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-card]")).to_have_attribute("data-status", "canceled")
    expect(page.locator(".text-out")).to_contain_text("1 2 3 ")


def test_an_error_is_shown_with_its_traceback(
    person: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """A model that raises shows what it said, and the log is open at the traceback."""
    page = person(f"/{live_platform.owner}/count")
    page.get_by_label("fail").check()
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".error-box")).to_contain_text("told to fail", timeout=COLD)
    expect(page.locator("[data-logs]")).to_contain_text("Traceback")


def test_a_file_goes_in_by_drop_and_comes_out_as_a_download(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """A dropped file is sent, shown by name, run, and the result is what the model made of it."""
    page = person(f"/{live_platform.owner}/copy")
    dropped = page.evaluate_handle(
        "() => { const data = new DataTransfer();"
        " data.items.add(new File(['abc'], 'note.bin')); return data; }"
    )
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})
    expect(page.locator("[data-file-name]")).to_have_text("note.bin")
    page.get_by_role("button", name="Run").click()
    download = page.locator("[data-output] a[download]")
    download.wait_for(timeout=COLD)
    with page.expect_download() as waiting:
        download.click()
    waiting.value.save_as(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"cba"


def test_the_json_tab_is_the_same_input(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """What the form holds can be read and changed as JSON, and runs from there."""
    page = person(f"/{live_platform.owner}/hello")
    page.get_by_label("text").fill("one")
    page.get_by_role("tab", name="JSON").click()
    editor = page.get_by_label("Input as JSON")
    expect(editor).to_have_value('{\n  "text": "one"\n}')
    editor.fill('{"text": ')
    page.get_by_role("tab", name="Form").click()
    expect(page.locator("[data-json-problem]")).to_contain_text("This is not an input")
    editor.fill('{"text": "two"}')
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".text-out")).to_have_text("hello two", timeout=COLD)
    page.get_by_role("tab", name="Form").click()
    expect(page.get_by_label("text")).to_have_value("two")


def test_a_new_model_goes_from_nothing_to_running(
    person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path
) -> None:
    """A page is made, says how to push, notices the push, and runs what was pushed."""
    page = person("/create")
    page.get_by_label("Name").fill("fresh")
    page.get_by_label("Description").fill("Says <b>hello</b>")
    page.get_by_role("button", name="Create model").click()
    expect(page.locator("pre").first).to_contain_text(
        f"cog push {live_platform.host}/{live_platform.owner}/fresh"
    )
    project = tmp_path / "fresh"
    shutil.copytree(MODELS / "hello", project)
    live_platform.push(project, "fresh")
    page.get_by_role("link", name="Open its form").click()
    expect(page.locator(".lead")).to_have_text("Says <b>hello</b>")
    page.get_by_label("text").fill("you")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".text-out")).to_have_text("hello you", timeout=COLD)


def test_a_strangers_page_of_a_private_model_says_nothing(
    visit: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """A private model and none at all look the same to who is not signed in."""
    private = visit(f"/{live_platform.owner}/hello").locator("main").inner_html()
    nothing = visit(f"/{live_platform.owner}/holla").locator("main").inner_html()
    assert private.replace("hello", "holla") == nothing
    assert "Nothing here" in nothing


def test_it_fits_a_phone(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """No page is wider than a phone."""
    page = person("/", width=375, height=800)
    model = f"/{live_platform.owner}/count"
    for path in ("/", "/explore", "/predictions", "/create", model, f"{model}/api", f"{model}/settings"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path


def test_lists_and_searches_refresh_by_themselves(
    person: Callable[..., Page], live_platform: LivePlatform
) -> None:
    """What is typed is searched as it is typed, and a running prediction in the list ends there by itself."""
    page = person("/explore")
    search = page.get_by_role("searchbox")
    search.press_sequentially("hello")
    expect(page).to_have_url(re.compile(r"\?q=hello$"))
    expect(page.locator(".model-row")).to_contain_text(["hello"])
    expect(search).to_be_focused()
    with live_platform.http() as http:
        asked = {"version": live_platform.versions["count"], "input": {"to": 30, "pause": 0.1}}
        http.post("/v1/predictions", json=asked).raise_for_status()
    page.goto("/predictions")
    newest = page.locator(".prediction-row").first
    expect(newest.locator(".status")).to_have_text(re.compile("starting|processing"))
    expect(newest.locator(".status")).to_have_text("succeeded", timeout=COLD)


def test_who_signs_out_elsewhere_is_told(person: Callable[..., Page], live_platform: LivePlatform) -> None:
    """A page left open says what happened, and keeps what was typed, so that it can go on."""
    page = person(f"/{live_platform.owner}/hello")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_label("text").fill("kept")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-run-note]")).to_contain_text("You are signed out.")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]  # what it gave is what it takes
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".text-out")).to_have_text("hello kept", timeout=COLD)
