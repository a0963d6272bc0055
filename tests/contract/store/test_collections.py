"""What every store of collections promises."""

from __future__ import annotations

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.values import Visibility
from cogyard.features.collections.ports import Collection
from cogyard.features.models.ports import NewModel

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


async def test_collections_are_kept_changed_and_walked(stores: Stores) -> None:
    """By slug, both ways; the same slug again changes the texts."""
    kept = [Collection(slug=f"c{n}", name=f"C {n}", description="d") for n in range(4)]
    for collection in reversed(kept):
        await stores.collections.put(collection, NOW)
    changed = Collection(slug="c2", name="New", description="e", full_description="# f")
    await stores.collections.put(changed, NOW)
    assert await stores.collections.get("c2") == changed
    assert await stores.collections.get("none") is None
    first = await stores.collections.list(Window(limit=3))
    assert first.items == (kept[0], kept[1], changed)
    second = await stores.collections.list(Window(limit=3, key=first.next))
    assert second.items == (kept[3],)
    back = await stores.collections.list(Window(limit=3, key=second.previous, backwards=True))
    assert back.items == first.items
    assert await stores.collections.delete("c0")
    assert not await stores.collections.delete("c0")


async def test_collections_of_an_account_are_listed_apart(stores: Stores) -> None:
    """By its name; nobody overwrites another's."""
    ann = await stores.account("ann")
    await stores.organization("acme", ann)
    platforms = Collection(slug="best", name="Best", description="")
    own = Collection(slug="acme.best", name="Best", description="", owner="acme")
    for collection in (platforms, own):
        assert await stores.collections.put(collection, NOW)
        assert await stores.collections.get(collection.slug) == collection
    assert (await stores.collections.list(Window(limit=9))).items == (platforms,)
    assert (await stores.collections.list(Window(limit=9), owner="ACME")).items == (own,)
    assert (await stores.collections.list(Window(limit=9), owner="ann")).items == ()
    taken = Collection(slug="acme.best", name="Mine", description="", owner="ann")
    assert not await stores.collections.put(taken, NOW)
    assert not await stores.collections.put(Collection(slug="acme.best", name="x", description=""), NOW)
    assert await stores.collections.get("acme.best") == own


async def test_models_stand_in_the_order_in_which_they_came(stores: Stores) -> None:
    """Once each; a deleted model is in none, and a deleted collection holds none."""
    ann = await stores.account("ann")
    models = [
        await stores.models.add(
            NewModel(
                owner_id=ann.id, name=f"m{n}", visibility=Visibility.PUBLIC, hardware="cpu", created_at=NOW
            )
        )
        for n in range(3)
    ]
    await stores.collections.put(Collection(slug="c", name="C", description=""), NOW)
    for n in (2, 0, 1, 2):
        await stores.collections.add_model("c", models[n].id)

    async def names(limit: int = 9) -> list[str]:
        return [model.name for model in await stores.collections.models("c", limit)]

    assert await names() == ["m2", "m0", "m1"]
    assert await names(2) == ["m2", "m0"]
    assert await stores.collections.remove_model("c", models[0].id)
    assert not await stores.collections.remove_model("c", models[0].id)
    await stores.models.delete(models[1].id, with_versions=True)
    assert await names() == ["m2"]
    await stores.collections.delete("c")
    assert await names() == []
