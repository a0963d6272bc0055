"""Versions: images of a model, named by their digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cogyard.domain.ids import is_version
from cogyard.domain.names import split_model
from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Account, Model, Version
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.versions.policy import why_kept
from cogyard.features.versions.ports import VersionInUseError, VersionStore
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError


class NoVersionError(InvalidError):
    """The version that was asked for cannot be run by this caller; the words are the hosted service's."""

    def __init__(self) -> None:
        super().__init__(
            "The specified version does not exist (or perhaps you don't have permission to use it?)",
            title="Invalid version or not permitted",
        )


def _silence() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Shows a version to whoever may see its model."""

    store: VersionStore
    models: Models
    world: World = field(default_factory=World)
    ring: Callable[[], None] = _silence
    """Called when there are predictions to remove."""

    async def list(self, caller: Account | None, owner: str, name: str, window: Window) -> Slice[Version]:
        """Return a model's versions, newest first. Raises NotFoundError."""
        model = await self.models.get(caller, owner, name)
        return await self.store.versions(model.id, window)

    async def get(self, caller: Account | None, owner: str, name: str, id: str) -> Version:
        """Return a version. Raises NotFoundError."""
        model = await self.models.get(caller, owner, name)
        version = await self.store.version(model.id, id) if is_version(id) else None
        if version is None:
            raise NotFoundError
        return version

    async def latest(self, models: Sequence[Model]) -> Mapping[int, Version]:
        """Return the latest versions of models that the caller may see, by the model's id."""
        return await self.store.latest([model.id for model in models]) if models else {}

    async def add(
        self,
        model: Model,
        *,
        digest: str,
        labels: Mapping[str, str],
        openapi_schema: Mapping[str, Any],
        cog_version: str,
        size: int,
    ) -> Version:
        """Make a version of a pushed image (`digest` is `sha256:…`); the same digest again is the same version."""
        version = Version(
            id=digest.removeprefix("sha256:"),
            model=model.path,
            created_at=self.world.now(),
            cog_version=cog_version,
            openapi_schema=openapi_schema,
            labels=labels,
            size=size,
        )
        if await self.store.add_version(model.id, version):
            return version
        return await self.store.version(model.id, version.id) or version

    async def resolve(self, caller: Account | None, reference: str) -> Version:
        """Return the version that `id`, `owner/name:id` or `owner/name` (its latest) means. Raises NoVersionError."""
        path, colon, given = reference.partition(":")
        if "/" not in path:
            return await self._by_id(caller, reference)
        parts = split_model(path)
        if parts is None or (colon and not is_version(given)):
            raise NoVersionError
        try:
            model = await self.models.get(caller, *parts)
        except NotFoundError as error:
            raise NoVersionError from error
        wanted = given or model.latest_version
        version = await self.store.version(model.id, wanted) if wanted else None
        if version is None:
            raise NoVersionError
        return version

    async def delete(self, caller: Account, owner: str, name: str, id: str) -> None:
        """Delete a version that nobody needs, with its image; its predictions go soon after.

        Raises NotFoundError, ForbiddenError, ConflictError.
        """
        model = await self.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise ForbiddenError(f"Only who may change {model.path} may delete its versions.")
        reasons = partial(why_kept, model.path)
        try:
            deleted = is_version(id) and await self.store.delete_version(
                model.id, id, reasons, self.world.now()
            )
        except VersionInUseError as error:
            raise ConflictError(str(error)) from error
        if not deleted:
            raise NotFoundError
        self.ring()

    async def _by_id(self, caller: Account | None, id: str) -> Version:
        candidates = await self.store.with_id(id) if is_version(id) else ()
        seen = [(model, version) for model, version in candidates if policy.may_see(caller, model)]
        # One's own copy, or one's organization's, before another's: it is the one that the caller pushed.
        for model, version in seen:
            if policy.belongs(caller, model.owner):
                return version
        if not seen:
            raise NoVersionError
        return seen[0][1]
