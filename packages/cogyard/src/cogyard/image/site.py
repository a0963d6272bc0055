"""Where a build works: the store it fills, the cache it remembers in, and who hears of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cogyard.image.progress import Progress, Silent
from cogyard.oci.layout import ImageStore


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one build."""

    store: ImageStore
    cache: Path
    progress: Progress = msgspec.field(default_factory=Silent)
