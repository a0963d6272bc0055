"""The names older models import from `cog.types`."""

from __future__ import annotations

from cog.file import File, URLFile
from cog.input import FieldInfo, Input
from cog.path import Path, URLPath
from cog.secret import Secret
from cog.warnings import ExperimentalFeatureWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator as AsyncConcatenateIterator
    from collections.abc import Iterator as ConcatenateIterator
else:
    from cog.iterators import AsyncConcatenateIterator, ConcatenateIterator

__all__ = [
    "AsyncConcatenateIterator",
    "ConcatenateIterator",
    "ExperimentalFeatureWarning",
    "FieldInfo",
    "File",
    "Input",
    "Path",
    "Secret",
    "URLFile",
    "URLPath",
]
