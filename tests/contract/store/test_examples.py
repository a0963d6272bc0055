"""What every store of examples promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Model, Prediction, Status, Visibility
from cogyard.features.models.ports import NewModel
from cogyard.features.predictions.ports import Ticket

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


async def _model(stores: Stores, owner: Account, name: str) -> Model:
    return await stores.models.add(
        NewModel(owner_id=owner.id, name=name, visibility=Visibility.PUBLIC, hardware="cpu", created_at=NOW)
    )


async def _prediction(stores: Stores, model: Model, account: Account, n: int) -> str:
    key = new_id(NOW + timedelta(seconds=n), bytes(10))
    prediction = Prediction(
        id=key,
        model=model.path,
        version="a" * 64,
        account_id=account.id,
        status=Status.STARTING,
        input={"n": n},
        created_at=NOW,
        stream_token=f"{n:032}",
    )
    await stores.predictions.add(prediction, Ticket(deployable="a" * 64))
    return key


async def test_examples_are_walked_and_have_a_default(stores: Stores) -> None:
    """The one added last first, both ways; the default is the oldest until one is pinned, and then that."""
    ann = await stores.account("ann")
    model, bare = await _model(stores, ann, "one"), await _model(stores, ann, "bare")
    keys = [await _prediction(stores, model, ann, n) for n in range(5)]
    for key in keys:
        await stores.examples.add(model.id, key, NOW, pinned=False)
    first = await stores.examples.list(model.id, Window(limit=3))
    assert [each.id for each in first.items] == keys[:1:-1]
    second = await stores.examples.list(model.id, Window(limit=3, key=first.next))
    assert [each.id for each in second.items] == keys[1::-1]
    back = await stores.examples.list(model.id, Window(limit=3, key=second.previous, backwards=True))
    assert back.items == first.items
    assert {id_: each.id for id_, each in (await stores.examples.defaults([model.id, bare.id])).items()} == {
        model.id: keys[0]
    }
    await stores.examples.add(model.id, keys[2], NOW, pinned=True)
    await stores.examples.add(model.id, keys[3], NOW + timedelta(seconds=1), pinned=True)
    await stores.examples.add(model.id, keys[3], NOW, pinned=False)
    assert (await stores.examples.defaults([model.id]))[model.id].id == keys[3]
    assert len((await stores.examples.list(model.id, Window(limit=9))).items) == 5


async def test_an_example_is_found_by_its_prediction(stores: Stores) -> None:
    """With the model that shows it; a prediction that is none, or no longer, is not found."""
    ann = await stores.account("ann")
    model = await _model(stores, ann, "one")
    key, other = [await _prediction(stores, model, ann, n) for n in range(2)]
    await stores.examples.add(model.id, key, NOW, pinned=False)
    found = await stores.examples.find(key)
    assert found is not None
    assert (found.model_id, found.prediction.id) == (model.id, key)
    assert await stores.examples.find(other) is None
    await stores.examples.remove(model.id, key)
    assert await stores.examples.find(key) is None


async def test_a_removed_example_is_none(stores: Stores) -> None:
    """Of its own model only, once; the default is another then."""
    ann = await stores.account("ann")
    model = await _model(stores, ann, "one")
    keys = [await _prediction(stores, model, ann, n) for n in range(2)]
    for key in keys:
        await stores.examples.add(model.id, key, NOW, pinned=key == keys[1])
    assert not await stores.examples.remove(model.id + 1, keys[1])
    assert await stores.examples.remove(model.id, keys[1])
    assert not await stores.examples.remove(model.id, keys[1])
    assert (await stores.examples.defaults([model.id]))[model.id].id == keys[0]
