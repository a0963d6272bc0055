"""What every store of models and versions promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Model, Version, Visibility
from cogyard.features.models.ports import ModelExistsError, NewModel, Order, VersionsLeftError

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


async def _model(stores: Stores, owner: Account, name: str, **more: Any) -> Model:
    new = NewModel(
        **{
            "owner_id": owner.id,
            "name": name,
            "visibility": Visibility.PUBLIC,
            "hardware": "cpu",
            "created_at": NOW,
            **more,
        }
    )
    return await stores.models.add(new)


def _version(model: Model, digit: str, minutes: int = 0) -> Version:
    return Version(
        id=digit * 64,
        model=model.path,
        created_at=NOW + timedelta(minutes=minutes),
        cog_version="0.16.0",
        openapi_schema={"components": {"schemas": {}}},
        labels={"a": "b"},
        size=7,
    )


async def test_models_are_found_whatever_their_case(stores: Stores) -> None:
    """What was kept is found, and no two of an owner have one name."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    made = await _model(stores, ann, "hello", description="Says hello", github_url="https://x")
    assert await stores.models.get("Ann", "HELLO") == made
    assert made.path == "ann/hello"
    assert await stores.models.get("bob", "hello") is None
    with pytest.raises(ModelExistsError):
        await _model(stores, ann, "Hello")
    assert (await _model(stores, bob, "hello")).owner == "bob"


async def test_a_private_model_is_not_read_for_who_may_not_see_it(stores: Stores) -> None:
    """It is as one that is not there, which takes as long; a public one is there for everybody."""
    ann = await stores.account("ann")
    await _model(stores, ann, "hidden", visibility=Visibility.PRIVATE)
    shown = await _model(stores, ann, "shown")
    assert await stores.models.get("ann", "hidden", private_too=False) is None
    assert await stores.models.get("ann", "hidden") is not None
    assert await stores.models.get("ann", "shown", private_too=False) == shown


async def test_lists_hold_what_may_be_seen(stores: Stores) -> None:
    """The public list has public models with a version; an owner's has all of theirs, or the public ones."""
    ann = await stores.account("ann")
    shown = await _model(stores, ann, "shown")
    hidden = await _model(stores, ann, "hidden", visibility=Visibility.PRIVATE)
    empty = await _model(stores, ann, "empty")
    for model in (shown, hidden):
        await stores.versions.add_version(model.id, _version(model, "a"))
    public = await stores.models.public(Window(limit=9), order=Order.LATEST_VERSION, ascending=False)
    assert [model.name for model in public.items] == ["shown"]
    own = await stores.models.by_owner("ann", Window(limit=9), private_too=True)
    assert [model.id for model in own.items] == [empty.id, hidden.id, shown.id]
    theirs = await stores.models.by_owner("ann", Window(limit=9), private_too=False)
    assert [model.id for model in theirs.items] == [empty.id, shown.id]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("order", list(Order))
async def test_public_models_are_walked_both_ways(stores: Stores, order: Order, ascending: bool) -> None:
    """Pages join without gap or repeat, in either order."""
    ann = await stores.account("ann")
    for n in range(7):
        model = await _model(stores, ann, f"m{n}", created_at=NOW - timedelta(minutes=n // 2))
        await stores.versions.add_version(model.id, _version(model, "a", minutes=n // 3))

    async def page(window: Window) -> Any:
        return await stores.models.public(window, order=order, ascending=ascending)

    whole = (await page(Window(limit=99))).items
    pages = [await page(Window(limit=3))]
    while pages[-1].next:
        pages.append(await page(Window(limit=3, key=pages[-1].next)))
    assert [model for each in pages for model in each.items] == list(whole)
    back = await page(Window(limit=3, key=pages[-1].previous, backwards=True))
    assert back.items == pages[-2].items


async def test_search_needs_every_word(stores: Stores) -> None:
    """Name, owner and description count; private ones are found by their owner alone."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    model = await _model(stores, ann, "hello", description="Says Good Day")
    await _model(stores, ann, "secret", visibility=Visibility.PRIVATE)

    async def found(*words: str, viewer: int | None = None) -> list[str]:
        viewers = () if viewer is None else (viewer, 10_000)
        return [each.name for each in await stores.models.search(words, viewers=viewers, limit=9)]

    assert await found("good", "ann/h") == ["hello"]
    assert await found("good", "bye") == []
    assert await found("secret") == []
    assert await found("secret", viewer=bob.id) == []
    assert await found("secret", viewer=ann.id) == ["secret"]
    assert await found("%") == []
    assert model.run_count == 0


async def test_changes_are_kept(stores: Stores) -> None:
    """What is not named stays."""
    model = await _model(stores, await stores.account("ann"), "hello", description="x")
    changed = await stores.models.update(model.id, {"visibility": "private", "readme": "# Hi"})
    assert changed is not None
    assert (changed.visibility, changed.readme, changed.description) == (Visibility.PRIVATE, "# Hi", "x")
    assert await stores.models.get("ann", "hello") == changed
    assert await stores.models.update(model.id + 1, {"readme": "x"}) is None


async def test_versions_are_kept_once_and_the_newest_is_the_latest(stores: Stores) -> None:
    """The same again changes nothing; deleting the latest leaves the one before."""
    ann = await stores.account("ann")
    model, other = await _model(stores, ann, "hello"), await _model(stores, ann, "other")
    first, second = _version(model, "a"), _version(model, "b", minutes=1)
    assert await stores.versions.add_version(model.id, first)
    assert await stores.versions.add_version(model.id, second)
    assert not await stores.versions.add_version(model.id, _version(model, "a", minutes=9))
    assert await stores.versions.add_version(other.id, _version(other, "a", minutes=2))
    assert await stores.versions.version(model.id, first.id) == first
    assert (await stores.versions.versions(model.id, Window(limit=9))).items == (second, first)
    latest = await stores.versions.latest([model.id, other.id])
    assert {key: version.id for key, version in latest.items()} == {model.id: "b" * 64, other.id: "a" * 64}
    assert [(m.name, v.id[0]) for m, v in await stores.versions.with_id("a" * 64)] == [
        ("hello", "a"),
        ("other", "a"),
    ]
    assert await stores.versions.delete_version(model.id, second.id, lambda _uses: None, NOW)
    assert not await stores.versions.delete_version(model.id, second.id, lambda _uses: None, NOW)
    found = await stores.models.get("ann", "hello")
    assert found is not None
    assert found.latest_version == first.id


async def test_a_model_with_versions_is_deleted_only_with_them(stores: Stores) -> None:
    """Empty ones go at once; one that is gone is not deleted again."""
    model = await _model(stores, await stores.account("ann"), "hello")
    await stores.versions.add_version(model.id, _version(model, "a"))
    with pytest.raises(VersionsLeftError):
        await stores.models.delete(model.id, with_versions=False)
    assert await stores.models.delete(model.id, with_versions=True)
    assert not await stores.models.delete(model.id, with_versions=True)
    assert await stores.models.get("ann", "hello") is None
