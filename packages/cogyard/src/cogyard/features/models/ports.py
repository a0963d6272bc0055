"""What the models service asks of whoever keeps models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cogyard.domain.paging import Slice, Window
from cogyard.domain.values import Model, Visibility


class ModelExistsError(Exception):
    """The owner has a model of that name already."""


class VersionsLeftError(Exception):
    """The model still has versions."""


class DeploymentsLeftError(Exception):
    """Deployments still run the model."""


class Order(StrEnum):
    """What a list of models is sorted by."""

    LATEST_VERSION = "latest_version_created_at"
    CREATED = "model_created_at"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewModel:
    """A model that is about to be."""

    owner_id: int
    name: str
    visibility: Visibility
    hardware: str
    created_at: datetime
    description: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    cover_image_url: str | None = None


class ModelStore(Protocol):
    """Keeps models. Names are found whatever their case."""

    async def add(self, model: NewModel) -> Model:
        """Keep a new model. Raises ModelExistsError."""
        ...

    async def get(self, owner: str, name: str, *, private_too: bool = True) -> Model | None:
        """Return the model, or None.

        Without `private_too` a private one takes no longer than one that is not there, however much it holds.
        """
        ...

    async def public(self, window: Window, *, order: Order, ascending: bool) -> Slice[Model]:
        """Return public models that have a version."""
        ...

    async def by_owner(self, owner: str, window: Window, *, private_too: bool) -> Slice[Model]:
        """Return an owner's models, newest first."""
        ...

    async def search(
        self, words: tuple[str, ...], *, viewers: tuple[int, ...], limit: int
    ) -> tuple[Model, ...]:
        """Return models that have every word in owner, name, description or README: public ones, and the viewers' own.

        A word is found where it begins one. Those that fit best come first.
        """
        ...

    async def update(self, model_id: int, changes: Mapping[str, str | None]) -> Model | None:
        """Set columns of a model and return it; None when it is gone."""
        ...

    async def delete(self, model_id: int, *, with_versions: bool) -> bool:
        """Delete a model; False when it is gone. Raises VersionsLeftError, DeploymentsLeftError."""
        ...


class Repositories(Protocol):
    """Where a model's images are written down; the registry."""

    async def drop(self, repository: str) -> None:
        """Forget all images of a model that is deleted."""
        ...
