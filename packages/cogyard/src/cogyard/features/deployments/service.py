"""Deployments: made, changed by releases, rolled back, deleted; and predictions that are asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from cogyard.domain.deployments import (
    Configuration,
    Deployment,
    Release,
    Split,
    chosen_version,
    problems,
)
from cogyard.domain.names import model_name_problem, split_model
from cogyard.domain.paging import Slice, Window
from cogyard.domain.roles import Role
from cogyard.domain.values import Account, Model, Prediction, Version
from cogyard.features.deployments import policy
from cogyard.features.deployments.ports import (
    DeploymentExistsError,
    DeploymentInUseError,
    NewDeployment,
    Next,
    Store,
    VersionGoneError,
)
from cogyard.features.deployments.rollouts import Rollouts
from cogyard.features.hardware.service import HardwareList
from cogyard.features.models import policy as models_policy
from cogyard.features.predictions.asking import Through
from cogyard.features.predictions.service import Predictions
from cogyard.features.versions.service import Versions
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

#: Releases whose versions a list offers to look for.
LATEST_RELEASES = 50
#: What is wrong, by field.
Problems = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a release is asked to be; None keeps what is, and `splits` says whether `split` is given at all."""

    version: str | None = None
    hardware: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    split: Split | None = None
    splits: bool = False

    def over(self, before: Configuration) -> Configuration:
        """Return the configuration that follows."""
        given = {
            name: value
            for name in ("version", "hardware", "min_instances", "max_instances")
            if (value := getattr(self, name)) is not None
        }
        return replace(before, **given, split=self.split if self.splits else before.split)


@dataclass(frozen=True, kw_only=True)
class Deployments:
    """A deployment is its owner's; what it runs is a version that its owner may run."""

    store: Store
    versions: Versions
    predictions: Predictions
    hardware: HardwareList
    rollouts: Rollouts = field(default_factory=Rollouts)
    world: World = field(default_factory=World)

    async def create(
        self,
        caller: Account,
        name: str,
        model: str,
        configuration: Configuration,
        *,
        owner: str | None = None,
    ) -> Deployment:
        """Make a deployment of one of a model's versions, the caller's or an organization's where it is a writer.

        Raises ForbiddenError, InvalidError, ConflictError.
        """
        account = await self._owner(caller, owner)
        wrong = [("name", problem)] if (problem := model_name_problem(name)) is not None else []
        found = await self._model(caller, model)
        if found is not None and account.type == "organization":
            # By itself, not by who acts for it: what its members run must stay when the one who deployed it leaves.
            itself = await self.versions.models.accounts.by_username(account.username)
            found = await self._model(itself, model) if itself is not None else None
        if found is None:
            wrong.append(("model", f"There is no model {model[:100]!r}, or you may not use it."))
        else:
            wrong += await self._unknown(caller, found.path, configuration.version, configuration.split)
        _refuse([*wrong, *self._problems(configuration)])
        if found is None:
            raise NotFoundError
        new = NewDeployment(
            owner_id=account.id,
            name=name,
            model_id=found.id,
            configuration=configuration,
            created_at=self.world.now(),
            created_by=caller.id,
        )
        try:
            made = await self.store.add(new)
        except DeploymentExistsError as error:
            raise ConflictError(f"There is a deployment {account.username}/{name} already.") from error
        except VersionGoneError as error:
            raise _gone(found.path, configuration, error) from error
        self._wake(made)
        return made

    async def resume(self) -> None:
        """Go on with the rollouts that the end of the last platform interrupted. Call it before instances start."""
        for deployment, served in await self.store.unserved():
            self.rollouts.resumed(deployment, served)

    async def settle(self) -> None:
        """Keep which release serves, whenever that changes, for ever."""
        while True:
            await self.rollouts.changed.wait()
            for deployment_id, number in self.rollouts.settled().items():
                await self.store.served(deployment_id, number)

    async def get(self, caller: Account | None, owner: str, name: str) -> Deployment:
        """Return a deployment. Raises NotFoundError, also for another's."""
        # Asked before it is looked for: how long that takes would tell that there is one.
        deployment = await self.store.get(owner, name) if policy.sees_those_of(caller, owner) else None
        if deployment is None or not policy.may_see(caller, deployment):
            raise NotFoundError
        return deployment

    async def list(self, caller: Account, window: Window) -> Slice[Deployment]:
        """Return the caller's deployments, newest first."""
        return await self.store.list(caller.id, window)

    async def update(self, caller: Account, owner: str, name: str, wanted: Wanted) -> Deployment:
        """Make the next release; one that would change nothing is not made. Raises NotFoundError, InvalidError.

        Predictions that were asked for before keep the version they were given, and end on it.
        """
        deployment = await self.changeable(caller, owner, name)
        planned = wanted.over(deployment.release.configuration)
        before = deployment.release.configuration
        # What it runs it may go on with, also where the caller may not use the model any more; of all else it has none.
        version = None if wanted.version == before.version else wanted.version
        split = None if wanted.split == before.split else wanted.split
        wrong = await self._unknown(caller, deployment.model, version, split)
        _refuse([*wrong, *self._problems(planned)])

        def decide(current: Release) -> Configuration | None:
            following = wanted.over(current.configuration)
            # Another change may have come between: what it left may not fit what is wanted here.
            _refuse(self._problems(following))
            return None if following == current.configuration else following

        return await self._release(caller, deployment, decide)

    async def roll_back(
        self, caller: Account, owner: str, name: str, number: int | None = None
    ) -> Deployment:
        """Make a release that is as an earlier one was: the one of that number, or the one before the current.

        Raises NotFoundError, InvalidError.
        """
        deployment = await self.changeable(caller, owner, name)
        wanted = deployment.release.number - 1 if number is None else number
        # Within what a database can hold; nobody has that many.
        known = 1 <= wanted < 1 << 31
        before = await self.store.numbered(deployment.id, wanted) if known else None
        if before is None:
            what = (
                f"{deployment.path} has no release {wanted}; its current one is {deployment.release.number}."
            )
            raise InvalidError(f"release: {what}", problems=[("release", what)])
        model = await self._model(caller, deployment.model)
        if model is not None:
            _refuse(
                await self._unknown(
                    caller, model.path, before.configuration.version, before.configuration.split
                )
            )
        return await self._release(caller, deployment, lambda _current: before.configuration)

    async def releases(
        self, caller: Account, owner: str, name: str, window: Window
    ) -> tuple[Deployment, Slice[Release]]:
        """Return a deployment and its releases, newest first. Raises NotFoundError."""
        deployment = await self.get(caller, owner, name)
        return deployment, await self.store.releases(deployment.id, window)

    async def delete(self, caller: Account, owner: str, name: str) -> None:
        """Delete a deployment; its instances end. Raises NotFoundError, ConflictError while predictions wait or run."""
        deployment = await self.changeable(caller, owner, name)
        try:
            deleted = await self.store.delete(deployment.id)
        except DeploymentInUseError as error:
            raise ConflictError(
                f"Predictions of {deployment.path} still wait or run. Cancel them, or set max_instances to 0."
            ) from error
        if not deleted:
            raise NotFoundError
        self._wake(deployment)

    async def predict(
        self, caller: Account, owner: str, name: str, *, input: Mapping[str, Any], **asked: Any
    ) -> Prediction:
        """Ask for a prediction of the current release, or of what serves until that is ready.

        `asked` is as `Predictions.create` takes it.
        Of an organization's deployment it is the organization's, since its instances run it.

        Raises NotFoundError, ConflictError for a disabled deployment, and what `Predictions.create` raises.
        """
        deployment = await self.get(caller, owner, name)
        if deployment.disabled:
            raise ConflictError(
                f"{deployment.path} is disabled: its max_instances is 0, so that nothing could run."
            )
        random = int.from_bytes(self.world.random(2), "big")
        chosen = chosen_version(deployment.release.configuration, random)
        version = await self._serving(caller, deployment, chosen)
        through = Through(deployment_id=deployment.id, path=deployment.path)
        return await self.predictions.create(
            caller,
            version=version,
            input=input,
            through=through,
            account_id=caller.belonging(deployment.owner),
            **asked,
        )

    async def predictions_of(
        self, caller: Account, owner: str, name: str, window: Window, **sought: Any
    ) -> tuple[Deployment, Slice[Prediction]]:
        """Return the predictions that were asked of a deployment by the caller, or by any member of its organization.

        Newest first; `sought` is as `Predictions.list` takes it. Raises NotFoundError.
        """
        deployment = await self.get(caller, owner, name)
        account_id = caller.belonging(deployment.owner)
        return deployment, await self.predictions.list(
            caller, window, deployment_id=deployment.id, account_id=account_id, **sought
        )

    async def versions_of(self, deployment: Deployment) -> Sequence[str]:
        """Return the versions that the last releases of a deployment ran, the newest first."""
        listed = await self.store.releases(deployment.id, Window(limit=LATEST_RELEASES))
        ran = [each.configuration for each in listed.items]
        named = [[one.version] if one.split is None else [one.version, one.split.version] for one in ran]
        return tuple(dict.fromkeys(version for both in named for version in both))

    async def _owner(self, caller: Account, owner: str | None) -> Account:
        owner = owner or caller.username
        if not models_policy.may_create(caller, owner):
            raise ForbiddenError(models_policy.why_not(caller, owner, Role.WRITER))
        if owner.lower() == caller.username.lower():
            return caller
        account = await self.versions.models.accounts.by_username(owner)
        if account is None:
            raise NotFoundError(f"There is no account {owner}.")
        return account

    async def changeable(self, caller: Account, owner: str, name: str) -> Deployment:
        """Return a deployment that the caller may change. Raises NotFoundError, ForbiddenError."""
        deployment = await self.get(caller, owner, name)
        if not policy.may_change(caller, deployment):
            raise ForbiddenError(
                f"As a {caller.role_in(deployment.owner)} of {deployment.owner} you may not change "
                f"{deployment.path}; a writer may."
            )
        return deployment

    async def _release(self, caller: Account, deployment: Deployment, decide: Next) -> Deployment:
        planned: Configuration | None = None

        def decided(current: Release) -> Configuration | None:
            nonlocal planned
            planned = decide(current)
            return planned

        try:
            made = await self.store.release(deployment.id, decided, now=self.world.now(), by=caller.id)
        except VersionGoneError as error:
            raise _gone(deployment.model, planned, error) from error
        if made is None:
            raise NotFoundError
        if made.release.number != deployment.release.number:
            self.rollouts.released(made)
        if made.disabled:
            await self.predictions.queue.cancel_of_deployment(made.id)
        self._wake(made)
        return made

    async def _serving(self, caller: Account, deployment: Deployment, chosen: str) -> Version:
        """Return the version that serves: the chosen one, or while that gets ready another that is."""
        serving = self.rollouts.serving(deployment, chosen)
        if serving != chosen:
            with suppress(ConflictError):  # The old version has been deleted.
                return await self._version(caller, deployment, serving)
        return await self._version(caller, deployment, chosen)

    async def _version(self, caller: Account, deployment: Deployment, id: str) -> Version:
        owner, name = deployment.model.split("/", 1)
        try:
            return await self.versions.get(caller, owner, name, id)
        except NotFoundError as error:
            raise ConflictError(
                f"{deployment.path} runs a version of {deployment.model} that is no longer yours to run."
            ) from error

    async def _model(self, caller: Account, path: str) -> Model | None:
        parts = split_model(path)
        try:
            return None if parts is None else await self.versions.models.get(caller, *parts)
        except NotFoundError:
            return None

    async def _unknown(
        self, caller: Account, model: str, version: str | None, split: Split | None
    ) -> Problems:
        owner, name = model.split("/", 1)
        named = (("version", version), ("split.version", None if split is None else split.version))
        wrong: Problems = []
        for where, id_ in named:
            if id_ is None:
                continue
            try:
                await self.versions.get(caller, owner, name, id_)
            except NotFoundError:
                wrong.append((where, _no_version(model, id_)))
        return wrong

    def _problems(self, configuration: Configuration) -> Problems:
        found = problems(configuration)
        if not self.hardware.knows(configuration.hardware):
            what = f"There is no hardware {configuration.hardware[:40]!r}; there is {self.hardware.skus}."
            found.append(("hardware", what))
        return found

    def _wake(self, deployment: Deployment) -> None:
        # The controller sleeps until something rings: a minimum must be kept from now on, or no longer.
        self.predictions.queue.bells.ring(deployment.path)


def _no_version(model: str, version: str) -> str:
    return f"{model} has no version {version[:70]!r}, or you may not use it."


def _gone(model: str, wanted: Configuration | None, error: VersionGoneError) -> InvalidError:
    split = wanted is not None and error.version != wanted.version
    return _invalid([("split.version" if split else "version", _no_version(model, error.version))])


def _refuse(wrong: Sequence[tuple[str, str]]) -> None:
    if wrong:
        raise _invalid(wrong)


def _invalid(wrong: Sequence[tuple[str, str]]) -> InvalidError:
    return InvalidError("\n".join(f"- {where}: {what}" for where, what in wrong), problems=wrong)
