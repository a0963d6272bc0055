"""Collections of models, under the name of the official client."""

from __future__ import annotations

from replicate.models import Collection, Collections

__all__ = [
    "Collection",
    "Collections",
]
