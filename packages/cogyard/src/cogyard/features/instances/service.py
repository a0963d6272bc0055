"""How instances of a version fared, for whoever may change its model: setup logs may hold what an author hides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cogyard.domain.values import Account
from cogyard.features.models import policy
from cogyard.features.versions.service import Versions
from cogyard.http.errors import NotFoundError


class Records(Protocol):
    """What is kept of instances that have ended."""

    def of(self, deployable: str) -> Sequence[Mapping[str, Any]]:
        """Return the newest first; blocks a moment."""
        ...


class NoRecords:
    """For a platform that keeps none."""

    def of(self, deployable: str) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002 - of none
        """Return nothing."""
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceRecords:
    """Reads what the fleet wrote down."""

    versions: Versions
    records: Records

    async def list(self, caller: Account, owner: str, name: str, id: str) -> Sequence[Mapping[str, Any]]:
        """Return how a version's last instances ended, newest first. Raises NotFoundError."""
        version = await self.versions.get(caller, owner, name, id)
        model = await self.versions.models.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise NotFoundError
        return await asyncio.to_thread(self.records.of, version.id)
