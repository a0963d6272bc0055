"""Batches without HTTP."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from cog_server.embedded import Completed, Model, ModelOptions

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_embedded_predictions_run_together(tmp_path: Path, kind: str) -> None:
    """Predictions that a program asks for at the same time are one call."""
    (tmp_path / "predict.py").write_text(
        "import cog\n@cog.batched(max_size=3, max_wait=0.5)\n"
        f"{kind} predict(n: list[int]) -> list[int]:\n    return [one * 10 + len(n) for one in n]\n"
    )
    options = ModelOptions(python=Path(sys.executable), project=tmp_path, ref="predict.py:predict")

    async with Model.start(options) as model:

        async def one(number: int) -> object:
            events = [event async for event in model.predict({"n": number})]
            assert isinstance(events[-1], Completed)
            return events[-1].output

        assert await asyncio.gather(*(one(number) for number in range(3))) == [3, 13, 23]
