"""Versions of models, under the name of the official client."""

from __future__ import annotations

from replicate.models import Version, Versions

__all__ = [
    "Version",
    "Versions",
]
