"""What every store of deployments promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cogyard.domain.deployments import Configuration, Deployment, Split
from cogyard.domain.paging import Window
from cogyard.domain.roles import Role
from cogyard.domain.values import Account, Model, Prediction, Status, Version, Visibility
from cogyard.features.deployments.ports import (
    DeploymentExistsError,
    DeploymentInUseError,
    NewDeployment,
    VersionGoneError,
)
from cogyard.features.models.ports import DeploymentsLeftError, NewModel
from cogyard.features.organizations.ports import Standing
from cogyard.features.predictions.ports import Asked, Ticket
from cogyard.features.versions.policy import Uses
from cogyard.features.versions.ports import VersionInUseError

from tests.contract.store.conftest import NOW, Stores

pytestmark = pytest.mark.anyio

FIRST = Configuration(version="a" * 64, hardware="cpu", min_instances=0, max_instances=1)


def _reasons(uses: Uses) -> str | None:
    return uses.deployment


async def _model(stores: Stores, owner: Account) -> Model:
    model = await stores.models.add(
        NewModel(owner_id=owner.id, name="m", visibility=Visibility.PUBLIC, hardware="cpu", created_at=NOW)
    )
    for digit in "abc":
        await stores.versions.add_version(
            model.id,
            Version(id=digit * 64, model=model.path, created_at=NOW, cog_version="0", openapi_schema={}),
        )
    return model


async def _deployment(stores: Stores, owner: Account, model: Model, name: str = "front") -> Deployment:
    return await stores.deployments.add(
        NewDeployment(
            owner_id=owner.id,
            name=name,
            model_id=model.id,
            configuration=FIRST,
            created_at=NOW,
            created_by=owner.id,
        )
    )


async def test_a_deployment_is_found_whatever_its_case_and_listed(stores: Stores) -> None:
    """No two of an owner have one name; lists are the owner's, newest first, and can be walked."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    model = await _model(stores, ann)
    made = await _deployment(stores, ann, model)
    assert made.release.number == 1
    assert made.release.configuration == FIRST
    assert made.release.created_by.username == "ann"
    assert (made.path, made.model, made.created_at) == ("ann/front", "ann/m", NOW)
    assert await stores.deployments.get("ANN", "Front") == made
    assert await stores.deployments.get("bob", "front") is None
    with pytest.raises(DeploymentExistsError):
        await _deployment(stores, ann, model, "FRONT")
    second = await _deployment(stores, ann, model, "second")
    other = await _deployment(stores, bob, model)
    page = await stores.deployments.list(ann.id, Window(limit=1))
    assert page.items == (second,)
    assert (await stores.deployments.list(ann.id, Window(limit=1, key=page.next))).items == (made,)
    assert {each.id for each in await stores.deployments.current()} == {made.id, second.id, other.id}


async def test_a_deployment_serves_while_its_owner_may_run_its_model(stores: Stores) -> None:
    """Not after they were removed from the model's organization, and not for who is only invited."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    root = await stores.account("root", is_admin=True)
    acme = await stores.organization("acme", ann)
    model = await _model(stores, acme)
    made = {
        account.username: (await _deployment(stores, account, model)).id for account in (ann, bob, acme, root)
    }

    async def serving() -> set[str]:
        ids = {each.id for each in await stores.deployments.serving()}
        return {name for name, id_ in made.items() if id_ in ids}

    assert await serving() == {"ann", "bob", "acme", "root"}
    await stores.models.update(model.id, {"visibility": "private"})
    assert await serving() == {"ann", "acme", "root"}
    invited = Standing(role=Role.READER, invited_at=NOW)
    for standing, serves in ((invited, False), (replace(invited, joined_at=NOW), True), (None, False)):
        await stores.organizations.change(acme.id, bob.id, lambda _members, to=standing: to)  # type: ignore[misc] # mypy cannot read a default here
        assert ("bob" in await serving()) is serves
    assert len(await stores.deployments.current()) == 4


async def test_a_change_is_the_next_release(stores: Stores) -> None:
    """It is decided over what is current; deciding nothing changes nothing; earlier ones stay."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    made = await _deployment(stores, ann, await _model(stores, ann))
    wanted = replace(FIRST, version="b" * 64, split=Split(version="c" * 64, percent=10))
    later = NOW + timedelta(minutes=1)
    changed = await stores.deployments.release(made.id, lambda _: wanted, now=later, by=bob.id)
    assert changed is not None
    assert (changed.release.number, changed.release.configuration) == (2, wanted)
    assert (changed.release.created_at, changed.release.created_by.id) == (later, bob.id)
    assert await stores.deployments.release(made.id, lambda _: None, now=later, by=bob.id) == changed
    assert await stores.deployments.release(made.id + 9, lambda _: wanted, now=later, by=bob.id) is None
    listed = await stores.deployments.releases(made.id, Window(limit=1))
    assert listed.items == (changed.release,)
    assert (await stores.deployments.releases(made.id, Window(limit=1, key=listed.next))).items == (
        made.release,
    )
    assert await stores.deployments.numbered(made.id, 1) == made.release
    assert await stores.deployments.numbered(made.id, 3) is None


async def test_which_release_served_last_is_known(stores: Stores) -> None:
    """Until the current one serves, what served before is told with it, as long as its versions are there."""
    ann = await stores.account("ann")
    made = await _deployment(stores, ann, await _model(stores, ann))
    assert await stores.deployments.unserved() == ()
    for version in "bc":
        wanted = replace(FIRST, version=version * 64)
        changed = await stores.deployments.release(made.id, lambda _, to=wanted: to, now=NOW, by=ann.id)  # type: ignore[misc] # mypy cannot read a default here
    assert changed is not None
    assert await stores.deployments.unserved() == ((changed, FIRST),)
    await stores.deployments.served(made.id, 2)
    ((_, served),) = await stores.deployments.unserved()
    assert served.version == "b" * 64
    await stores.deployments.served(made.id, 3)
    await stores.deployments.served(made.id, 2)
    await stores.deployments.served(made.id + 9, 1)
    assert await stores.deployments.unserved() == ()


async def test_a_leavers_deployment_keeps_nothing(stores: Stores) -> None:
    """Who may not run a model any more holds neither a version nor the model; their deployment goes with that."""
    ann, bob = await stores.account("ann"), await stores.account("bob")
    acme = await stores.organization("acme", ann)
    model = await _model(stores, acme)
    await stores.models.update(model.id, {"visibility": "private"})
    standing = Standing(role=Role.READER, invited_at=NOW, joined_at=NOW)
    await stores.organizations.change(acme.id, bob.id, lambda _members: standing)
    await _deployment(stores, bob, model)
    with pytest.raises(DeploymentsLeftError):
        await stores.models.delete(model.id, with_versions=True)
    with pytest.raises(VersionInUseError, match="bob/front"):
        await stores.versions.delete_version(model.id, "a" * 64, _reasons, NOW)
    await stores.organizations.change(acme.id, bob.id, lambda _members: None)
    assert await stores.versions.delete_version(model.id, "a" * 64, _reasons, NOW)
    assert len(await stores.deployments.current()) == 1
    assert await stores.models.delete(model.id, with_versions=True)
    assert await stores.deployments.current() == ()


async def test_what_is_deployed_is_not_deleted(stores: Stores) -> None:
    """Neither its model, nor a version of the current release; what an earlier one ran may go."""
    ann = await stores.account("ann")
    model = await _model(stores, ann)
    made = await _deployment(stores, ann, model)
    with pytest.raises(VersionInUseError, match="ann/front"):
        await stores.versions.delete_version(model.id, "a" * 64, _reasons, NOW)
    wanted = replace(FIRST, version="b" * 64, split=Split(version="c" * 64, percent=10))
    await stores.deployments.release(made.id, lambda _: wanted, now=NOW, by=ann.id)
    assert await stores.versions.delete_version(model.id, "a" * 64, _reasons, NOW)
    for digit in "bc":
        with pytest.raises(VersionInUseError):
            await stores.versions.delete_version(model.id, digit * 64, _reasons, NOW)
    with pytest.raises(DeploymentsLeftError):
        await stores.models.delete(model.id, with_versions=True)
    assert await stores.deployments.delete(made.id)
    assert await stores.models.delete(model.id, with_versions=True)


async def test_a_version_that_is_gone_is_not_deployed(stores: Stores) -> None:
    """Neither by a new deployment nor by a release, also where the caller saw it a moment before; nothing is kept."""
    ann = await stores.account("ann")
    model = await _model(stores, ann)
    made = await _deployment(stores, ann, model)
    assert await stores.versions.delete_version(model.id, "b" * 64, _reasons, NOW)
    gone = replace(FIRST, version="b" * 64)
    beside = replace(FIRST, split=Split(version="b" * 64, percent=10))
    for wanted in (gone, beside):
        with pytest.raises(VersionGoneError, match="b" * 64):
            await stores.deployments.release(made.id, lambda _, to=wanted: to, now=NOW, by=ann.id)  # type: ignore[misc] # mypy cannot read a default here
        new = NewDeployment(
            owner_id=ann.id,
            name="other",
            model_id=model.id,
            configuration=wanted,
            created_at=NOW,
            created_by=ann.id,
        )
        with pytest.raises(VersionGoneError):
            await stores.deployments.add(new)
    assert await stores.deployments.current() == (made,)


async def test_a_deployment_in_use_stays(stores: Stores) -> None:
    """Its predictions that wait or run keep it; they are told from others'."""
    ann = await stores.account("ann")
    model = await _model(stores, ann)
    made = await _deployment(stores, ann, model)
    for number, deployment in enumerate((made, None)):
        prediction = Prediction(
            id=f"{number:026}",
            model=model.path,
            version="a" * 64,
            account_id=ann.id,
            status=Status.STARTING,
            input={},
            created_at=NOW,
            stream_token=f"{number:032}",
            deployment=deployment.path if deployment else None,
            deployment_id=deployment.id if deployment else None,
        )
        await stores.predictions.add(prediction, Ticket(deployable="x"))
    assert await stores.predictions.of_deployment(made.id) == (f"{0:026}",)
    listed = await stores.predictions.list(Asked(account_id=ann.id, deployment_id=made.id), Window(limit=9))
    assert [(each.id, each.deployment) for each in listed.items] == [(f"{0:026}", "ann/front")]
    with pytest.raises(DeploymentInUseError):
        await stores.deployments.delete(made.id)
    assert not await stores.deployments.delete(made.id + 9)
