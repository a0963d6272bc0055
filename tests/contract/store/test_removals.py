"""What every store of versions promises about deleting them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.values import Account, Kind, Model, Prediction, Status, Version, Visibility
from cogyard.features.models.ports import NewModel
from cogyard.features.predictions.ports import Change, Record, Ticket
from cogyard.features.versions.policy import Uses
from cogyard.features.versions.ports import VersionInUseError
from cogyard.features.versions.removing import Removals

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio
VERSION, OTHER = "a" * 64, "b" * 64


@dataclass
class Scene:
    """A private model of ann's with a version, and another model."""

    stores: Stores
    ann: Account
    bob: Account
    model: Model
    other: Model
    made: int = 0

    async def run(self, *, ends: bool = True, **more: Any) -> str:
        """Run the version."""
        self.made += 1
        prediction = Prediction(
            **{
                "id": new_id(NOW, self.made.to_bytes(10)),
                "model": self.model.path,
                "version": VERSION,
                "account_id": self.ann.id,
                "status": Status.STARTING,
                "input": {},
                "created_at": NOW,
                "stream_token": f"{self.made:032}",
                **more,
            }
        )
        await self.stores.predictions.add(prediction, Ticket(deployable=VERSION))
        if ends:
            await self.stores.predictions.change(prediction.id, _end)
        return prediction.id

    async def delete(self) -> Uses:
        """Delete the version, whatever it is used for; return what that was."""
        seen: list[Uses] = []

        def note(uses: Uses) -> None:
            seen.append(uses)

        assert await self.stores.versions.delete_version(self.model.id, VERSION, note, NOW)
        return seen[0]

    async def push(self, model: Model | None = None, version: str = VERSION) -> None:
        """Push the image again, or another."""
        model = model or self.model
        made = Version(id=version, model=model.path, created_at=NOW, cog_version="0", openapi_schema={})
        await self.stores.versions.add_version(model.id, made)

    async def left(self, *ids: str) -> list[bool]:
        """Return which predictions are there."""
        return [await self.stores.predictions.get(each) is not None for each in ids]


def _end(record: Record) -> Change:
    done = msgspec.structs.replace(record.prediction, status=Status.SUCCEEDED, completed_at=NOW)
    return Change(prediction=done, ticket=None)


@pytest.fixture
async def scene(stores: Stores) -> Scene:
    """Return a scene in which nothing was run."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    model, other = [
        await stores.models.add(
            NewModel(
                owner_id=ann.id, name=name, visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW
            )
        )
        for name in ("one", "other")
    ]
    scene = Scene(stores=stores, ann=ann, bob=bob, model=model, other=other)
    await scene.push()
    return scene


async def test_what_a_version_is_used_for_is_told_before_it_goes(scene: Scene) -> None:
    """Nothing of it is true of a version that only its owner ran; whoever says that it stays keeps it."""
    await scene.run()
    await scene.stores.models.update(scene.other.id, {"visibility": "public"})
    with pytest.raises(VersionInUseError, match="so"):
        await scene.stores.versions.delete_version(scene.model.id, VERSION, lambda _uses: "so", NOW)
    assert await scene.stores.versions.version(scene.model.id, VERSION) is not None
    assert await scene.stores.removals.removals() == ()
    assert await scene.delete() == Uses()
    assert not await scene.stores.versions.delete_version(scene.model.id, VERSION, lambda _uses: None, NOW)


async def test_a_public_version_that_others_run_is_told(scene: Scene) -> None:
    """Who has run it counts by account, what waits by its ticket."""
    await scene.stores.models.update(scene.model.id, {"visibility": "public"})
    await scene.run(account_id=scene.bob.id)
    await scene.run(ends=False)
    assert await scene.delete() == Uses(public=True, foreign=True, waits=True)


async def test_a_version_that_others_were_made_of_is_told(scene: Scene) -> None:
    """A training counts as long as its destination has another version that is no older than it."""
    training: dict[str, Any] = {"kind": Kind.TRAINING, "destination": scene.other.path}
    await scene.run(**training, created_at=NOW)
    with pytest.raises(VersionInUseError, match="None"):
        await scene.stores.versions.delete_version(
            scene.model.id, VERSION, lambda uses: f"{uses.trained}", NOW
        )
    await scene.push(scene.other, OTHER)
    assert (await scene.delete()).trained == scene.other.path


async def test_a_training_of_a_later_day_has_made_no_older_version(scene: Scene) -> None:
    """What the destination had before is not of this training."""
    await scene.push(scene.other, OTHER)
    later = NOW + timedelta(days=1)
    await scene.run(kind=Kind.TRAINING, destination=scene.other.path, created_at=later)
    assert (await scene.delete()).trained is None


async def test_its_predictions_go_with_it_and_no_others(scene: Scene) -> None:
    """Those of the same image in another model stay; so do those of the same image pushed again."""
    await scene.push(scene.other)
    await scene.push(version=OTHER)
    mine = [await scene.run() for _ in range(3)]
    others = [await scene.run(model=scene.other.path), await scene.run(version=OTHER)]
    await scene.delete()
    await scene.push()
    others.append(await scene.run())
    removals = Removals(store=scene.stores.removals)
    assert await removals.sweep() == 3
    assert await scene.left(*mine, *others) == [False] * 3 + [True] * 3
    assert await scene.stores.removals.removals() == ()
    assert await removals.sweep() == 0


async def test_predictions_of_an_earlier_model_of_that_name_stay_with_whoever_made_them(scene: Scene) -> None:
    """A deleted model leaves them to their accounts, whatever its owner makes and deletes under its name later."""
    theirs = await scene.run(account_id=scene.bob.id)
    models = scene.stores.models
    assert await models.delete(scene.model.id, with_versions=True)
    scene.model = await models.add(
        NewModel(
            owner_id=scene.ann.id, name="one", visibility=Visibility.PRIVATE, hardware="cpu", created_at=NOW
        )
    )
    await scene.push()
    mine = await scene.run()
    await scene.delete()
    assert await Removals(store=scene.stores.removals).sweep() == 1
    assert await scene.left(mine, theirs) == [False, True]


async def test_what_was_asked_after_the_deletion_stays(scene: Scene) -> None:
    """Also when the last of those before it has been deleted meanwhile: it must not take that one's place."""
    mine = [await scene.run() for _ in range(3)]
    await scene.delete()
    await scene.push()
    assert await scene.stores.predictions.erase(mine[-1], NOW)
    later = await scene.run(created_at=NOW + timedelta(seconds=1))
    assert await Removals(store=scene.stores.removals).sweep() == 2
    assert await scene.left(*mine, later) == [False] * 3 + [True]


async def test_a_removal_that_was_interrupted_goes_on(scene: Scene) -> None:
    """The note stays until the last has gone."""
    mine = [await scene.run() for _ in range(5)]
    await scene.delete()
    (removal,) = await scene.stores.removals.removals()
    assert (removal.model, removal.version) == (scene.model.path, VERSION)
    assert await scene.stores.removals.remove_predictions(removal, 2, NOW) == 2
    assert sum(await scene.left(*mine)) == 3
    assert await scene.stores.removals.removals() == (removal,)
    assert await Removals(store=scene.stores.removals).sweep() == 3
    assert sum(await scene.left(*mine)) == 0


async def test_many_go_in_pieces(scene: Scene) -> None:
    """More than one piece."""
    for _ in range(450):
        await scene.run()
    await scene.delete()
    assert await Removals(store=scene.stores.removals).sweep() == 450
