"""Kinds of machine, under the name of the official client."""

from __future__ import annotations

from replicate.models import Hardware
from replicate.models import HardwareKinds as HardwareNamespace

__all__ = [
    "Hardware",
    "HardwareNamespace",
]
