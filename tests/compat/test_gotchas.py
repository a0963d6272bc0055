"""What breaks a real client, item by item: each has a test that names it, here or where it fits."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cogyard.testing.api import SECRET, ApiPlatform
from cogyard.web.settings import WebSettings

pytestmark = pytest.mark.anyio

# 21 is about an address that is fixed in another's program; nothing here can keep it.
ITEMS = range(1, 21)
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("item", ITEMS)
def test_each_has_a_test(item: int) -> None:
    """A test's docstring says `wire gotcha N`."""
    named = re.compile(rf"wire gotchas?(?: \d+,?| and)* {item}\b")
    assert any(named.search(file.read_text("utf-8")) for file in TESTS.rglob("test_*.py"))


async def _content() -> AsyncIterator[bytes]:
    yield b"x"


async def test_files_are_files_for_clients_that_know_only_https(tmp_path: Path) -> None:
    """Behind an https address outputs are https, and a held request has them as data URLs (wire gotcha 4)."""
    settings = WebSettings(session_secret=SECRET, public_url="https://models.test")
    async with ApiPlatform.open(tmp_path, settings=settings) as platform, platform.client() as client:
        file = await platform.services.files.create(
            platform.accounts["owner"], "a.txt", "text/plain", _content(), prediction_id="p"
        )
        output = f"cogyard-file:{file.token}/{file.name}"
        body = {"version": platform.version.id, "input": {"text": "x"}}
        async with platform.instance().always(lambda _given: output):
            held = await client.post("/v1/predictions", json=body, headers={"Prefer": "wait"})
        assert held.json()["output"] == "data:text/plain;base64,eA=="
        shown = (await client.get(f"/v1/predictions/{held.json()['id']}")).json()
        assert shown["output"] == f"https://models.test/delivery/{file.token}/a.txt"
        assert shown["urls"]["get"].startswith("https://models.test/v1/")


async def test_creating_waits_for_nobody(tmp_path: Path) -> None:
    """Nothing could run it, and the answer comes at once, and is durable: nobody asks twice (wire gotcha 17)."""
    async with ApiPlatform.open(tmp_path) as platform, platform.client() as client:
        body = {"version": platform.version.id, "input": {"text": "x"}}
        made = await client.post("/v1/predictions", json=body)
        assert (made.status_code, made.json()["status"]) == (201, "starting")
        key = made.json()["id"]
    async with ApiPlatform.open(tmp_path) as platform, platform.client() as client:
        assert (await client.get(f"/v1/predictions/{key}")).json()["status"] == "starting"
