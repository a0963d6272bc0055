from __future__ import annotations

from typing import Optional

from cog import Input, Path


def upscale(*, image: "Path", scale: float = Input(default=1.5, ge=1, le=4), seed: Optional[int] = None) -> Path:
    return image
