"""The code of the API tab runs as it stands when pasted."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.live import LivePlatform

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.xdist_group("platform")]


def code_of(page: Page, language: str) -> str:
    """Return the code of one language's tab."""
    page.locator(f"#lang-{language}").click()
    return page.locator(f"#code-{language} pre").last.inner_text()


def pasted(
    command: list[str], code: str, platform: LivePlatform, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run code as a person would who followed the tab's first step, and no other setting."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command,
        input=code,
        env={**kept, "REPLICATE_API_TOKEN": platform.token},
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def hello_tab(person: Callable[..., Page], live_platform: LivePlatform) -> Page:
    """Return the API tab of hello, with what was typed into its form."""
    page = person(f"/{live_platform.owner}/hello")
    page.get_by_label("text").fill('"$HOME" `id` it\'s')
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_text("With the input that is in the Playground")).to_be_visible()
    return page


def test_python(hello_tab: Page, live_platform: LivePlatform, python: str, tmp_path: Path) -> None:
    """The Python tab's code prints the model's answer, by either client."""
    done = pasted([python, "-"], code_of(hello_tab, "python"), live_platform, tmp_path)
    assert done.stdout == 'hello "$HOME" `id` it\'s\n', done.stderr


def test_curl(hello_tab: Page, live_platform: LivePlatform, tmp_path: Path) -> None:
    """The curl tab's command answers with the prediction, whatever characters are in the input."""
    done = pasted(["/bin/sh", "-s"], code_of(hello_tab, "shell"), live_platform, tmp_path)
    assert json.loads(done.stdout)["output"] == 'hello "$HOME" `id` it\'s', done.stderr


def test_a_file_in_curl(person: Callable[..., Page], live_platform: LivePlatform, tmp_path: Path) -> None:
    """The command of a model that takes a file sends the one beside it."""
    page = person(f"/{live_platform.owner}/copy/api")
    (tmp_path / "input.bin").write_bytes(b"abc")
    done = pasted(["/bin/sh", "-s"], code_of(page, "shell"), live_platform, tmp_path)
    assert json.loads(done.stdout)["status"] == "succeeded", done.stderr


def test_a_file_in_python(
    person: Callable[..., Page], live_platform: LivePlatform, python: str, tmp_path: Path
) -> None:
    """The Python tab of a model that takes a file opens the one beside the script and saves what comes back."""
    page = person(f"/{live_platform.owner}/copy/api")
    (tmp_path / "input.bin").write_bytes(b"abc")
    done = pasted([python, "-"], code_of(page, "python"), live_platform, tmp_path)
    assert (tmp_path / "output").exists(), done.stderr
    assert (tmp_path / "output").read_bytes() == b"cba"


def test_text_that_streams_in_python(
    person: Callable[..., Page], live_platform: LivePlatform, python: str, tmp_path: Path
) -> None:
    """The Python tab of a streaming model prints its text as it comes."""
    page = person(f"/{live_platform.owner}/count/api")
    done = pasted([python, "-"], code_of(page, "python"), live_platform, tmp_path)
    assert done.stdout.strip() == "1 2 3", done.stderr


@pytest.mark.network
def test_javascript(person: Callable[..., Page], live_platform: LivePlatform, node_folder: Path) -> None:
    """The JavaScript tab's code runs with the official client: text, a stream, and a file both ways."""
    wanted = {"hello": "hello …\n", "count": "1 2 3", "copy": ""}
    (node_folder / "input.bin").write_bytes(b"abc")
    for name, printed in wanted.items():
        page = person(f"/{live_platform.owner}/{name}/api")
        script = node_folder / f"{name}.mjs"
        script.write_text(code_of(page, "javascript"))
        done = pasted(["node", str(script)], "", live_platform, node_folder)
        assert done.stdout.strip() == printed.strip(), done.stderr
    assert (node_folder / "output").read_bytes() == b"cba"
