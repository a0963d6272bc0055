"""Models, under the name of the official client."""

from __future__ import annotations

from replicate.models import Model, Models
from replicate.models import ModelPredictions as ModelsPredictions

__all__ = [
    "Model",
    "Models",
    "ModelsPredictions",
]
