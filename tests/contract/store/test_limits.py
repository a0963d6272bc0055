"""What every store of limits promises, and who is admitted by them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec
import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.values import Account, Model, Prediction, Status, Version, Visibility
from cogyard.features.hardware.service import HardwareList
from cogyard.features.limits.ports import NO_LIMITS, ModelLimits
from cogyard.features.limits.service import ModelAdmission
from cogyard.features.models.ports import NewModel
from cogyard.features.models.service import Models
from cogyard.features.predictions.ports import Change, Ticket
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ForbiddenError, InvalidError, NotFoundError

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio


@dataclass
class Scene:
    """A public model of ann's, and predictions that come and go."""

    stores: Stores
    ann: Account
    bob: Account
    model: Model
    clock: list[float] = field(default_factory=lambda: [0.0])
    admission: ModelAdmission = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        """Admit by the stores."""
        self.admission = self.fresh()

    def fresh(self) -> ModelAdmission:
        """Return what admits after a restart."""
        return ModelAdmission(
            store=self.stores.limits,
            models=Models(store=self.stores.models, accounts=self.stores.accounts, hardware=HardwareList()),
            world=World(elapsed=lambda: self.clock[0], now=lambda: NOW),
        )

    async def limit(self, **limits: int | None) -> None:
        """Set the model's limits."""
        await self.admission.set(self.ann, "ann", "one", ModelLimits(**limits))  # type: ignore[arg-type] # the test's own

    async def ask(self, model: str = "ann/one") -> Prediction:
        """Be admitted and written."""
        self.made += 1
        prediction = Prediction(
            id=new_id(NOW, self.made.to_bytes(10)),
            model=model,
            version="a" * 64,
            account_id=self.bob.id,
            status=Status.STARTING,
            input={},
            created_at=NOW,
            stream_token=f"{self.made:032}",
        )
        await self.admission.enter(model, prediction.id)
        await self.stores.predictions.add(prediction, Ticket(deployable="a" * 64))
        self.admission.entered(model, prediction.id, written=True)
        return prediction

    async def end(self, prediction: Prediction, *, heard: bool = True) -> None:
        """End it; whoever admits may not hear of it."""
        done = msgspec.structs.replace(prediction, status=Status.SUCCEEDED, completed_at=NOW)
        await self.stores.predictions.change(prediction.id, lambda _: Change(prediction=done, ticket=None))
        if heard:
            self.admission.ended(done)


@pytest.fixture
async def scene(stores: Stores) -> Scene:
    """Return a scene without limits."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    model = await stores.models.add(
        NewModel(owner_id=ann.id, name="one", visibility=Visibility.PUBLIC, hardware="cpu", created_at=NOW)
    )
    return Scene(stores=stores, ann=ann, bob=bob, model=model)


async def test_limits_are_kept_by_model(scene: Scene) -> None:
    """Those that limit something, by the model's name; of a model that is gone nothing."""
    store = scene.stores.limits
    assert await store.limits() == {}
    for limits in (ModelLimits(predictions=3, window=10), ModelLimits(at_once=2)):
        assert await store.set(scene.model.id, limits)
        assert await store.limits() == {"ann/one": limits}
    assert await store.set(scene.model.id, NO_LIMITS)
    assert await store.limits() == {}
    assert not await store.set(999, ModelLimits(at_once=1))


async def test_what_waits_or_runs_is_known(scene: Scene) -> None:
    """By model, and by ids."""
    store = scene.stores.limits
    first, second, other = [await scene.ask(name) for name in ("ann/one", "ann/one", "ann/two")]
    await scene.end(first)
    assert await store.unended("ann/one") == (second.id,)
    assert await store.still_unended([first.id, second.id, other.id, "x"]) == {second.id, other.id}


async def test_a_window_is_as_it_was_after_a_restart(scene: Scene) -> None:
    """What was asked within it counts, whatever became of it, and of this model alone; then it fills as ever."""
    await scene.stores.versions.add_version(
        scene.model.id,
        Version(id="a" * 64, model="ann/one", created_at=NOW, cog_version="0", openapi_schema={}),
    )
    await scene.limit(predictions=3, window=3600)
    await scene.end(await scene.ask())
    await scene.ask()
    await scene.ask("ann/two")
    assert await scene.stores.limits.asked("ann/one", NOW, 99) == 2
    assert await scene.stores.limits.asked("ann/one", NOW, 1) == 1
    assert await scene.stores.limits.asked("ann/one", NOW + timedelta(seconds=1), 99) == 0
    assert await scene.stores.limits.asked("ann/none", NOW, 99) == 0
    scene.admission = scene.fresh()
    await scene.admission.begin()
    await scene.ask()
    with pytest.raises(BusyError):
        await scene.ask()
    scene.clock[0] += 1200
    await scene.ask()
    scene.admission = replace(scene.fresh(), world=World(now=lambda: NOW + timedelta(hours=2)))
    await scene.admission.begin()
    for _ in range(3):
        await scene.ask()


async def test_a_window_admits_so_many_and_says_whose_limit_it_is(scene: Scene) -> None:
    """Of all accounts together; other models are not meant."""
    await scene.limit(predictions=2, window=3600)
    await scene.ask()
    await scene.ask()
    with pytest.raises(BusyError) as refused:
        await scene.ask()
    assert "the owner of ann/one lets at most 2" in refused.value.message
    assert "3600 seconds" in refused.value.message
    assert refused.value.headers == {
        "Retry-After": "1800",
        "ratelimit-limit": "2",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "1800",
    }
    await scene.ask("ann/two")
    scene.clock[0] += 1800
    await scene.ask()
    with pytest.raises(BusyError):
        await scene.ask()
    await scene.limit(predictions=3, window=3600)
    await scene.ask()


async def test_so_many_wait_or_run_at_once(scene: Scene) -> None:
    """One more is let in when one has ended; those from before the limit count, also after a restart."""
    first = await scene.ask()
    await scene.limit(at_once=2)
    second = await scene.ask()
    with pytest.raises(BusyError) as refused:
        await scene.ask()
    assert "2 predictions of ann/one wait or run" in refused.value.message
    assert refused.value.headers["ratelimit-limit"] == "2"
    await scene.end(first)
    third = await scene.ask()
    scene.admission = scene.fresh()
    await scene.admission.load()
    with pytest.raises(BusyError):
        await scene.ask()
    await scene.end(second)
    await scene.end(third)
    await scene.ask()


async def test_an_end_that_nobody_heard_of_makes_room_too(scene: Scene) -> None:
    """Before somebody is refused the queue is asked, at most once a second."""
    await scene.limit(at_once=1)
    lost = await scene.ask()
    with pytest.raises(BusyError):
        await scene.ask()
    await scene.end(lost, heard=False)
    with pytest.raises(BusyError):
        await scene.ask()
    scene.clock[0] += 1
    await scene.ask()


async def test_many_at_once_are_not_more_than_the_limit(scene: Scene) -> None:
    """Those that are being written count already; one that could not be written does not."""
    await scene.limit(at_once=3)
    await scene.admission.enter("ann/one", "never")
    scene.admission.entered("ann/one", "never", written=False)
    answers = await asyncio.gather(*(scene.ask() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, Prediction) for each in answers) == 3
    assert sum(isinstance(each, BusyError) for each in answers) == 7


async def test_a_limit_that_is_gone_limits_nothing(scene: Scene) -> None:
    """Taken back, or gone with its model."""
    await scene.limit(at_once=1)
    await scene.ask()
    await scene.limit(at_once=None)
    await scene.ask()
    await scene.limit(at_once=1)
    with pytest.raises(BusyError):
        await scene.ask()
    await scene.stores.models.delete(scene.model.id, with_versions=True)
    await scene.admission.load()
    await scene.ask()


async def test_only_who_may_change_the_model_sees_and_sets_them(scene: Scene) -> None:
    """Others hear that it is not theirs, of a private one nothing."""
    with pytest.raises(ForbiddenError):
        await scene.admission.get(scene.bob, "ann", "one")
    with pytest.raises(ForbiddenError):
        await scene.admission.set(scene.bob, "ann", "one", ModelLimits(at_once=1))
    await scene.stores.models.update(scene.model.id, {"visibility": "private"})
    with pytest.raises(NotFoundError):
        await scene.admission.get(scene.bob, "ann", "one")


@pytest.mark.parametrize(
    "limits",
    [
        ModelLimits(predictions=0),
        ModelLimits(predictions=1_000_001),
        ModelLimits(predictions=1, window=0),
        ModelLimits(predictions=1, window=86_401),
        ModelLimits(at_once=-1),
    ],
)
async def test_what_is_no_limit_is_refused(scene: Scene, limits: ModelLimits) -> None:
    """With the field, the value and the limit."""
    with pytest.raises(InvalidError, match="is not from 1 to"):
        await scene.admission.set(scene.ann, "ann", "one", limits)


async def test_an_older_look_does_not_undo_what_was_set(scene: Scene) -> None:
    """Limits are read now and then; one that is set while they are holds all the same."""
    looked, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        """Keeps what was read first to itself for a while; everything else is as it is."""

        def __getattr__(self, name: str) -> object:
            return getattr(scene.stores.limits, name)

        async def limits(self) -> Mapping[str, ModelLimits]:
            found = await scene.stores.limits.limits()
            if not looked.is_set():
                looked.set()
                await go_on.wait()
            return found

    scene.admission = replace(scene.admission, store=Slow())  # type: ignore[arg-type] # by its attributes
    looking = asyncio.create_task(scene.admission.load())
    await looked.wait()
    setting = asyncio.create_task(scene.limit(at_once=1))
    for _ in range(20):
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(looking, setting)
    await scene.ask()
    with pytest.raises(BusyError):
        await scene.ask()
