"""Trainings, under the name of the official client."""

from __future__ import annotations

from replicate.trainings import Training, Trainings

__all__ = [
    "Training",
    "Trainings",
]
