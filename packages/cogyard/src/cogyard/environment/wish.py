"""What cog.yaml says about the GPU, as a value: a part of what is asked of the package index."""

from __future__ import annotations

import msgspec


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What cog.yaml says about the GPU; `cuda` and `cudnn` where it names a version."""

    gpu: bool
    cuda: str | None = None
    cudnn: str | None = None

    @property
    def backend(self) -> str | None:
        """The part of PyTorch's index to take: `cpu`, `cu118`; None for what the default index has."""
        if not self.gpu:
            return "cpu"
        return f"cu{''.join(self.cuda.split('.')[:2])}" if self.cuda else None
