"""What a `train()` returned, read: where its weights are, and what is shown of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cogyard.domain.fileref import FileRef
from cogyard.features.trainings.ports import CannotMakeVersionError, Weights

WEIGHTS = "weights"


def weights_of(output: Any) -> Weights:
    """Return the weights of an output: a file, or an object whose `weights` is one. Raises CannotMakeVersionError."""
    found = output.get(WEIGHTS) if isinstance(output, Mapping) else output
    if isinstance(found, str) and (ref := FileRef.parse(found)) is not None:
        return Weights(address=found, token=ref.token)
    if isinstance(found, str) and found.startswith(("https://", "http://")):
        return Weights(address=found)
    raise CannotMakeVersionError(
        "train() returned no weights: it must return a file, or an object whose `weights` is a file."
    )


def shown(output: Any, weights: Weights, version: str) -> dict[str, Any]:
    """Return the output as clients know it, with all that train() said beside its weights."""
    said = dict(output) if isinstance(output, Mapping) else {}
    return {**said, "version": version, WEIGHTS: weights.address}
