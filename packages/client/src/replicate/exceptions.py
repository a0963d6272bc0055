"""What this client raises, under the name of the official client."""

from __future__ import annotations

from replicate.errors import ModelError, ReplicateError, ReplicateException

__all__ = [
    "ModelError",
    "ReplicateError",
    "ReplicateException",
]
