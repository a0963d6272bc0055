"""Batches without HTTP."""

from __future__ import annotations

import asyncio
import random
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


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_every_prediction_of_a_storm_ends_once(tmp_path: Path, kind: str) -> None:
    """Cancels at random and dying workers: each prediction has one end, and no slot or batch is lost."""
    (tmp_path / "predict.py").write_text(
        "import asyncio, cog, os, time\n@cog.batched(max_size=4, max_wait=0.005)\n"
        f"{kind} predict(n: list[int]) -> list[int]:\n"
        "    if 77 in n and not os.path.exists('died'):\n"
        "        open('died', 'w').close()\n        os._exit(3)\n"
        f"    {'await asyncio' if kind != 'def' else 'time'}.sleep(0.004)\n"
        "    return [ValueError('odd') if one % 10 == 3 else one for one in n]\n"
    )
    options = ModelOptions(python=Path(sys.executable), project=tmp_path, ref="predict.py:predict", workers=2)
    chance = random.Random(3)  # noqa: S311 - no secret
    async with Model.start(options) as model:

        async def one(number: int) -> str:
            await asyncio.sleep(number * 0.001)
            ends: list[Completed] = []
            cancel = chance.random() < 0.3
            async for event in model.predict({"n": number}, id=f"p{number}"):
                if cancel:
                    cancel = False
                    await model.cancel(f"p{number}")
                if isinstance(event, Completed):
                    ends.append(event)
            assert len(ends) == 1
            if ends[0].status == "succeeded":
                assert ends[0].output == number
            return ends[0].status

        statuses = await asyncio.gather(*(one(number) for number in range(300)))
        assert {"succeeded", "failed", "canceled"} == set(statuses)
        assert statuses.count("succeeded") > 100
        engine = model._runner.predictions.engine
        assert engine.running == engine.waiting == 0
        for lane in engine.pool.lanes:
            assert (lane.running, lane.groups) == ({}, 0)
