"""What trainings ask of whoever keeps images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cogyard.domain.values import Prediction, Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What a training made: a file of ours (`token`), or an address elsewhere."""

    address: str
    token: str | None = None


class CannotMakeVersionError(Exception):
    """No version can be made of a training; the text says why, for its error."""


class VersionMaker(Protocol):
    """Makes versions of trainings."""

    async def make(self, training: Prediction, weights: Weights) -> Version:
        """Make a version of the destination: the trained version's image with these weights.

        The same training again makes the same version. Raises CannotMakeVersionError.
        """
        ...


#: A training's output as it is shown.
Output = Mapping[str, Any]
