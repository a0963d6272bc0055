"""What every store of retention promises, and what the sweep makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.deployments import Configuration
from cogyard.domain.ids import first_id, new_id
from cogyard.domain.retention import FOREVER, Keep, Scope, Setting
from cogyard.domain.values import Account, Model, Prediction, Status, Version, Visibility
from cogyard.features.deployments.ports import NewDeployment
from cogyard.features.models.ports import NewModel
from cogyard.features.predictions.ports import Change, Record, Ticket
from cogyard.features.retention.ports import Place
from cogyard.features.retention.sweep import Sweep
from cogyard.features.world import World
from msgspec.structs import replace

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio

VERSION = "a" * 64
HOUR, DAY = Keep(3600), Keep(86400)
EVER = first_id(datetime(2999, 1, 1, tzinfo=UTC))


@dataclass
class Scene:
    """A model of ann's with a deployment, and a clock."""

    stores: Stores
    ann: Account
    bob: Account
    model: Model
    deployment_id: int
    moment: datetime = NOW
    made: int = 0

    def place(self, scope: Scope) -> Place:
        """Return where a setting may be."""
        ids = {Scope.ACCOUNT: self.ann.id, Scope.MODEL: self.model.id, Scope.DEPLOYMENT: self.deployment_id}
        return Place(scope=scope, id=ids[scope])

    async def ended(
        self,
        account: Account | None = None,
        *,
        deployed: bool = False,
        lasts: timedelta | None = timedelta(0),
        version: str = VERSION,
        model: str | None = None,
    ) -> str:
        """Make a prediction now that ends after `lasts`, or runs on."""
        self.made += 1
        prediction = Prediction(
            id=new_id(self.moment, self.made.to_bytes(10)),
            model=model or self.model.path,
            version=version,
            account_id=(account or self.ann).id,
            status=Status.STARTING,
            input={"n": self.made},
            created_at=self.moment,
            stream_token=f"{self.made:032}",
            deployment_id=self.deployment_id if deployed else None,
        )
        await self.stores.predictions.add(prediction, Ticket(deployable=version))
        if lasts is not None:
            await self.end(prediction.id, self.moment + lasts)
        return prediction.id

    async def end(self, id: str, at: datetime) -> None:
        """End a prediction."""

        def decide(record: Record) -> Change:
            done = replace(
                record.prediction, status=Status.SUCCEEDED, completed_at=at, output="x", logs="said"
            )
            return Change(prediction=done, ticket=None)

        assert await self.stores.predictions.change(id, decide) is not None

    def sweeper(self, platform: Keep = FOREVER) -> Sweep:
        """Return a sweep by this scene's clock."""
        return Sweep(store=self.stores.retention, platform=platform, world=World(now=lambda: self.moment))

    async def removed(self, *ids: str) -> list[bool]:
        """Return of which the data is gone."""
        found = [await self.stores.predictions.get(each) for each in ids]
        return [record is not None and record.prediction.data_removed for record in found]


@pytest.fixture
async def scene(stores: Stores) -> Scene:
    """Return a scene without settings."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    model = await stores.models.add(
        NewModel(owner_id=ann.id, name="one", visibility=Visibility.PUBLIC, hardware="cpu", created_at=NOW)
    )
    for id_ in (VERSION, "b" * 64):
        version = Version(id=id_, model=model.path, created_at=NOW, cog_version="1", openapi_schema={})
        await stores.versions.add_version(model.id, version)
    configuration = Configuration(version=VERSION, hardware="cpu", min_instances=0, max_instances=1)
    deployment = await stores.deployments.add(
        NewDeployment(
            owner_id=ann.id,
            name="front",
            model_id=model.id,
            configuration=configuration,
            created_at=NOW,
            created_by=ann.id,
        )
    )
    return Scene(stores=stores, ann=ann, bob=bob, model=model, deployment_id=deployment.id)


@pytest.mark.parametrize("scope", list(Scope))
async def test_settings_are_kept_by_what_they_are_of(scene: Scene, scope: Scope) -> None:
    """With whose they are; set again, for ever, and taken back."""
    store, place = scene.stores.retention, scene.place(scope)
    assert await store.settings() == {}
    for keep in (HOUR, FOREVER):
        assert await store.set(place, keep)
        assert await store.settings() == {scope: {place.id: Setting(keep, scene.ann.id)}}
    assert await store.set(place, None)
    assert await store.settings() == {}
    assert not await store.set(Place(scope=scope, id=999), HOUR)


async def test_a_setting_goes_with_what_it_is_of(scene: Scene) -> None:
    """A model or deployment of the same number later has none."""
    store = scene.stores.retention
    for scope in (Scope.MODEL, Scope.DEPLOYMENT):
        await store.set(scene.place(scope), HOUR)
    await scene.stores.deployments.delete(scene.deployment_id)
    await scene.stores.models.delete(scene.model.id, with_versions=True)
    assert await store.settings() == {}


async def test_what_holds_data_is_found_by_its_place_in_order(scene: Scene) -> None:
    """In pieces; examples and what is empty already are not among it."""
    store = scene.stores.retention
    ids = []
    for n in range(6):
        scene.moment += timedelta(seconds=1)
        ids.append(
            await scene.ended(scene.bob if n == 2 else None, deployed=n == 3, version="ab"[n % 2] * 64)
        )
    elsewhere = await scene.ended(model="ann/gone", version="c" * 64)
    await scene.stores.examples.add(scene.model.id, ids[0], NOW, pinned=False)
    assert await store.remove_data([ids[1]], NOW) == 1

    async def found(place: Place | None, **between: str) -> list[str]:
        after, limit = between.get("after", ""), int(between.get("limit", 9))
        held = await store.held(place, after=after, before=between.get("before", EVER), limit=limit)
        return [each.id for each in held]

    assert await found(None) == [*ids[2:], elsewhere]
    assert await found(None, after=ids[2], before=ids[5]) == ids[3:5]
    assert await found(scene.place(Scope.ACCOUNT)) == [*ids[3:], elsewhere]
    assert await found(scene.place(Scope.DEPLOYMENT)) == [ids[3]]
    assert await found(scene.place(Scope.MODEL)) == ids[2:]
    assert await found(scene.place(Scope.MODEL), limit="2") == ids[2:4]
    assert await found(scene.place(Scope.MODEL), after=ids[3]) == ids[4:]
    (first,) = await store.held(scene.place(Scope.DEPLOYMENT), after="", before=EVER, limit=9)
    subject = first.subject
    assert (subject.account_id, subject.model_id, subject.deployment_id) == (
        scene.ann.id,
        scene.model.id,
        scene.deployment_id,
    )


async def test_only_what_has_ended_is_emptied_and_once(scene: Scene) -> None:
    """What is left says that there was something, and how it ended."""
    store = scene.stores.retention
    ended, running = await scene.ended(), await scene.ended(lasts=None)
    assert await store.remove_data([ended, running], NOW) == 1
    assert await store.remove_data([ended, running], NOW) == 0
    record = await scene.stores.predictions.get(ended)
    assert record is not None
    left = record.prediction
    assert (left.input, left.output, left.logs, left.data_removed) == ({}, None, "", True)
    assert (left.status, left.completed_at) == (Status.SUCCEEDED, NOW)
    assert await scene.removed(running) == [False]


async def test_each_is_swept_when_its_own_time_is_over(scene: Scene) -> None:
    """The deployment's, the model's, the account's, the platform's: four predictions, four times."""
    store = scene.stores.retention
    for scope, hours in ((Scope.DEPLOYMENT, 1), (Scope.MODEL, 2), (Scope.ACCOUNT, 3)):
        await store.set(scene.place(scope), Keep(hours * 3600))
    ids = [
        await scene.ended(deployed=True),
        await scene.ended(),
        await scene.ended(model="ann/other", version="c" * 64),
        await scene.ended(scene.bob, model="bob/other", version="c" * 64),
    ]
    sweep = scene.sweeper(platform=Keep(4 * 3600))
    for hours in range(5):
        await sweep.sweep()
        assert await scene.removed(*ids) == [place < hours for place in range(4)]
        scene.moment = NOW + timedelta(hours=hours + 1, seconds=1)


async def test_the_long_running_is_swept_after_its_end(scene: Scene) -> None:
    """The walk that came by while it ran comes by again."""
    await scene.stores.retention.set(scene.place(Scope.ACCOUNT), HOUR)
    running = await scene.ended(lasts=None)
    sweep = scene.sweeper()
    for _ in range(5):
        scene.moment += timedelta(hours=2)
        later = await scene.ended()
        await sweep.sweep()
        assert await scene.removed(running) == [False]
    await scene.end(running, scene.moment)
    scene.moment += timedelta(minutes=59)
    await sweep.sweep()
    assert await scene.removed(running, later) == [False, False]
    scene.moment += timedelta(minutes=2)
    assert await sweep.sweep() == 2
    assert await scene.removed(running, later) == [True, True]


async def test_a_changed_setting_is_about_what_is_there_already(scene: Scene) -> None:
    """Shorter: it goes at the next sweep. For ever: it stays from then on."""
    store = scene.stores.retention
    await store.set(scene.place(Scope.ACCOUNT), FOREVER)
    old = await scene.ended()
    sweep = scene.sweeper(platform=DAY)
    scene.moment += timedelta(days=2)
    assert await sweep.sweep() == 0
    fresh = await scene.ended()
    await store.set(scene.place(Scope.ACCOUNT), HOUR)
    assert await sweep.sweep() == 1
    await store.set(scene.place(Scope.MODEL), FOREVER)
    scene.moment += timedelta(days=2)
    assert await sweep.sweep() == 0
    await store.set(scene.place(Scope.MODEL), None)
    await store.set(scene.place(Scope.ACCOUNT), None)
    assert await sweep.sweep() == 1
    assert await scene.removed(old, fresh) == [True, True]


async def test_many_are_swept_at_once(scene: Scene) -> None:
    """More than one look at the store gives, with some that stay between them."""
    await scene.stores.retention.set(scene.place(Scope.ACCOUNT), FOREVER)
    ids = [await scene.ended(scene.bob if n % 3 else scene.ann) for n in range(450)]
    scene.moment += timedelta(days=2)
    sweep = scene.sweeper(platform=DAY)
    assert await sweep.sweep() == 300
    assert await sweep.sweep() == 0
    assert await scene.removed(*ids) == [bool(n % 3) for n in range(450)]


async def test_what_a_wrong_clock_made_is_found_within_a_day(scene: Scene) -> None:
    """Its id lies behind the walk until the walk begins anew."""
    await scene.stores.retention.set(scene.place(Scope.ACCOUNT), HOUR)
    await scene.ended()
    sweep = scene.sweeper()
    scene.moment += timedelta(hours=2)
    await sweep.sweep()
    now, scene.moment = scene.moment, NOW - timedelta(days=9)
    behind = await scene.ended(lasts=timedelta(days=9))
    scene.moment = now + timedelta(hours=2)
    await sweep.sweep()
    scene.moment = now + timedelta(days=1)
    await sweep.sweep()
    assert await scene.removed(behind) == [True]
