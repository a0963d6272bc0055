"""What the deployments service asks of whoever keeps deployments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.deployments import Configuration, Deployment, Release
from cogyard.domain.paging import Slice, Window

#: Decides about the next release from the present one; None leaves everything as it is.
Next = Callable[[Release], Configuration | None]


class DeploymentExistsError(Exception):
    """The owner has a deployment of that name already."""


class VersionGoneError(Exception):
    """The model has no version of that digest; its only argument."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


class DeploymentInUseError(Exception):
    """Predictions of that deployment wait or run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDeployment:
    """A deployment that is about to be, with its first release."""

    owner_id: int
    name: str
    model_id: int
    configuration: Configuration
    created_at: datetime
    created_by: int


class DeploymentStore(Protocol):
    """Keeps deployments. Names are found whatever their case."""

    async def add(self, new: NewDeployment) -> Deployment:
        """Keep a new deployment as its release 1. Raises DeploymentExistsError, VersionGoneError."""
        ...

    async def get(self, owner: str, name: str) -> Deployment | None:
        """Return a deployment with its current release, or None."""
        ...

    async def list(self, owner_id: int, window: Window) -> Slice[Deployment]:
        """Return an owner's deployments, newest first."""
        ...

    async def delete(self, deployment_id: int) -> bool:
        """Delete a deployment and its releases; False when it is gone. Raises DeploymentInUseError."""
        ...


class ReleaseStore(Protocol):
    """Keeps what deployments were and are."""

    async def release(self, deployment_id: int, decide: Next, *, now: datetime, by: int) -> Deployment | None:
        """Read the current release, decide, and make the next one, in one step; None when it is gone.

        Raises VersionGoneError for a version that was deleted, unless the current release has it too.
        """
        ...

    async def releases(self, deployment_id: int, window: Window) -> Slice[Release]:
        """Return a deployment's releases, newest first."""
        ...

    async def numbered(self, deployment_id: int, number: int) -> Release | None:
        """Return the release of that number, or None."""
        ...

    async def current(self) -> tuple[Deployment, ...]:
        """Return every deployment: for the controller."""
        ...


class RolloutStore(Protocol):
    """Keeps which release of a deployment served last."""

    async def unserved(self) -> tuple[tuple[Deployment, Configuration], ...]:
        """Return the deployments whose current release does not serve yet, each with what served before it.

        Only where all versions of that are still there.
        """
        ...

    async def served(self, deployment_id: int, number: int) -> None:
        """Keep that this release serves, unless a later one is known to."""
        ...


class ServingStore(Protocol):
    """Knows which deployments keep instances."""

    async def serving(self) -> tuple[Deployment, ...]:
        """Return every deployment whose owner may still run its model: for the controller.

        The owner's own model or a public one, one of an organization where they are a member, any for an administrator.
        """
        ...


class Store(DeploymentStore, ServingStore, ReleaseStore, RolloutStore, Protocol):
    """All of them."""
