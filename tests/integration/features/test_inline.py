"""Output files inside an answer: small ones, all or none, and never more than there is room for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cogyard.features.files.service import ref
from cogyard.features.predictions.inline import INLINE_LIMIT, inlined
from cogyard.testing.api import ApiPlatform

pytestmark = pytest.mark.anyio


async def _file(platform: ApiPlatform, size: int) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield b"x" * size

    owner = platform.accounts["owner"]
    return str(ref(await platform.services.files.create(owner, "a.bin", "image/png", content())))


async def test_small_files_are_inlined_wherever_they_are(tmp_path: Path) -> None:
    """In lists and objects; other values stay."""
    async with ApiPlatform.open(tmp_path) as platform:
        file = await _file(platform, 3)
        found = await inlined({"a": [file, "text"], "b": file}, platform.services.files)
        assert found == {"a": ["data:image/png;base64,eHh4", "text"], "b": "data:image/png;base64,eHh4"}
        assert await inlined("text", platform.services.files) == "text"


async def test_too_much_together_stays_as_it_is(tmp_path: Path) -> None:
    """Also when it is one file that is named again and again, and when one of several is gone."""
    async with ApiPlatform.open(tmp_path) as platform:
        file = await _file(platform, INLINE_LIMIT // 1000 + 1)
        output = [file] * 1000
        assert await inlined(output, platform.services.files) == output
        gone = [await _file(platform, 3), "cogyard-file:" + "0" * 32 + "/gone.png"]
        assert await inlined(gone, platform.services.files) == gone
