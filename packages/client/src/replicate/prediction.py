"""Predictions, under the name of the official client."""

from __future__ import annotations

from replicate.predictions import Prediction, Predictions

__all__ = [
    "Prediction",
    "Predictions",
]
