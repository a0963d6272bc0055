"""Files that models made, under the name of the official client."""

from __future__ import annotations

from replicate.files import FileOutput

__all__ = [
    "FileOutput",
]
