"""What every request handler of the registry works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.blobs import CollectableBlobs, ExpiringUploads, Uploads
from cogyard.registry.authorization import Guard
from cogyard.registry.ports import Pins, PushObserver, Repositories

IDLE_SECONDS = 60.0
"""How long a client may send nothing in the middle of a body."""


class KeptUploads(Uploads, ExpiringUploads, Protocol):
    """Uploads that expire, and that are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The registry's parts, wired together once."""

    blobs: CollectableBlobs
    uploads: KeptUploads
    repositories: Repositories
    guard: Guard
    pushes: PushObserver
    pins: Pins
    clock: Callable[[], datetime]
    max_blob: int | None
    quota: int | None = None
    """Bytes that the repositories of one account may hold."""
    idle_seconds: float = IDLE_SECONDS
