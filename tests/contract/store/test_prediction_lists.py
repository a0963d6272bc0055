"""Lists of predictions, whoever keeps them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Prediction, Status
from cogyard.features.predictions.ports import Asked, Change, Stages

from tests.contract.store.conftest import NOW, Stores
from tests.contract.store.waiting import add

pytestmark = pytest.mark.anyio


async def test_lists_are_an_accounts_own_newest_first(stores: Stores) -> None:
    """Bounded by time and source, in windows."""
    made = [await add(stores, number) for number in range(6)]
    asked = Asked(account_id=made[0].account_id)
    first = await stores.predictions.list(asked, Window(limit=4))
    assert list(first.items) == made[:1:-1]
    second = await stores.predictions.list(asked, Window(limit=4, key=first.next))
    assert list(second.items) == made[1::-1]
    assert (
        await stores.predictions.list(Asked(account_id=made[0].account_id + 1), Window(limit=4))
    ).items == ()
    bounded = replace(asked, created_after=made[2].created_at, created_before=made[5].created_at)
    assert list((await stores.predictions.list(bounded, Window(limit=9))).items) == made[4:1:-1]
    web = await stores.predictions.list(replace(asked, source="web"), Window(limit=9))
    assert [each.source for each in web.items] == ["web"] * 3


async def test_lists_of_one_model_and_of_one_stage(stores: Stores) -> None:
    """What waits or runs, what succeeded, what failed, what was stopped; of every model or of one; in windows."""
    ends = [None, None, Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.ABORTED, Status.FAILED]
    made = [await add(stores, number) for number in range(len(ends))]
    for prediction, status in zip(made, ends, strict=True):
        if status is not None:
            await stores.predictions.change(
                prediction.id,
                lambda record, status=status: Change(  # type: ignore[misc] # mypy does not see the default's type
                    prediction=msgspec.structs.replace(record.prediction, status=status, completed_at=NOW),
                    ticket=None,
                ),
            )
    asked = Asked(account_id=made[0].account_id)

    async def numbers(**more: Any) -> list[int]:
        found = await stores.predictions.list(replace(asked, **more), Window(limit=9))
        return [[each.id for each in made].index(each.id) for each in found.items]

    assert await numbers(stages=Stages.RUNNING) == [1, 0]
    assert await numbers(stages=Stages.SUCCEEDED) == [2]
    assert await numbers(stages=Stages.FAILED) == [6, 3]
    assert await numbers(stages=Stages.CANCELED) == [5, 4]
    assert await numbers(stages=Stages.FAILED, model="ann/hello", source="web") == [3]
    assert await numbers(model="ann/hello") == [6, 5, 4, 3, 2, 1, 0]
    assert await numbers(model="ann/other") == []
    assert await numbers(stages=Stages.RUNNING, account_id=made[0].account_id + 1) == []
    first = await stores.predictions.list(replace(asked, stages=Stages.RUNNING), Window(limit=1))
    rest = await stores.predictions.list(
        replace(asked, stages=Stages.RUNNING), Window(limit=1, key=first.next)
    )
    assert [each.id for each in (*first.items, *rest.items)] == [made[1].id, made[0].id]


async def test_a_page_of_large_predictions_ends_early(stores: Stores) -> None:
    """Bytes of inputs, outputs, errors and logs together; at least one, whatever its size; nothing is left out."""
    made: list[Prediction] = []
    large: tuple[dict[str, Any], ...] = (
        {"output": "é" * 300},
        {"logs": "x" * 600},
        {},
        {"error": "x" * 5000, "output": [1]},
        {"input": {"text": "x" * 600}},
        {},
    )
    for number, more in enumerate(large):
        whole = msgspec.structs.replace(await add(stores, number), status=Status.FAILED, **more)
        await stores.predictions.change(whole.id, lambda _, w=whole: Change(prediction=w, ticket=None))  # type: ignore[misc] # bound now
        made.insert(0, whole)
    asked, key = Asked(account_id=made[0].account_id), None
    pages: list[Slice[Prediction]] = []
    while not pages or key is not None:
        found = await stores.predictions.list(asked, Window(limit=9, key=key, budget=1000))
        pages.append(found)
        key = found.next
    assert [len(page.items) for page in pages] == [2, 1, 2, 1]
    assert [each for page in pages for each in page.items] == made
    last = await stores.predictions.list(
        asked, Window(limit=9, key=pages[2].previous, backwards=True, budget=1000)
    )
    assert last.items == pages[1].items
