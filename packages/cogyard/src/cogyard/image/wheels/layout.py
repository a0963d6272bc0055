"""Where an environment is in an image."""

from __future__ import annotations

import msgspec


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where an environment is in the image, and for which Python, "3.11"."""

    root: str
    python: str

    @property
    def site_packages(self) -> str:
        """Where modules go, relative to the root."""
        return f"lib/python{self.python}/site-packages"

    @property
    def interpreter(self) -> str:
        """The environment's own name for its Python, absolute."""
        return f"/{self.root}/bin/python"
