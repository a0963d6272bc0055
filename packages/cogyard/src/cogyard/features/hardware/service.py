"""The kinds of machine the operator offers."""

from __future__ import annotations

from dataclasses import dataclass

from cogyard.domain.values import Hardware

CPU = Hardware(sku="cpu", name="CPU")


@dataclass(frozen=True, kw_only=True)
class HardwareList:
    """A fixed list, from the operator's settings."""

    offered: tuple[Hardware, ...] = (CPU,)

    async def list(self) -> tuple[Hardware, ...]:
        """Return what is offered."""
        return self.offered

    @property
    def default(self) -> str:
        """What a model gets that names none: the first."""
        return self.offered[0].sku

    def knows(self, sku: str) -> bool:
        """Whether there is such a kind."""
        return any(each.sku == sku for each in self.offered)

    @property
    def skus(self) -> str:
        """The kinds' names, for a message."""
        return ", ".join(each.sku for each in self.offered)
