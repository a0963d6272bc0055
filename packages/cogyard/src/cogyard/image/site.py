"""Where a build works: the store it fills, the cache it remembers in, and who hears of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cogyard.image.progress import Progress, Silent
from cogyard.oci.layout import ImageStore


@dataclass(frozen=True, kw_only=True)
class Site:
    """The places of one build."""

    store: ImageStore
    cache: Path
    progress: Progress = field(default_factory=Silent)
