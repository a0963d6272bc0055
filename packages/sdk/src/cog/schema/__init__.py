"""A predictor's signature and its OpenAPI document.

One description (`Signature`), two readers and one writer: `read_source` reads the author's file without running it,
`read_object` reads the loaded class or function; both give the same document through `openapi`.
"""

from __future__ import annotations

from cog.schema.openapi import openapi as openapi
from cog.schema.signature import Parameter as Parameter
from cog.schema.signature import Signature as Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

__all__ = ["Parameter", "Signature", "openapi", "read_object", "read_source"]


def read_object(obj: Any, *, train: bool = False) -> Signature:
    """Read a loaded class, instance or function. Raises SchemaError."""
    from cog.schema.object_reader import read_object as read

    return read(obj, train=train)


def read_source(path: str | os.PathLike[str], ref: str, *, train: bool = False) -> Signature:
    """Read `ref` ("predict.py:Predictor") in the project folder `path` without running it. Raises SchemaError."""
    from cog.schema.source_reader import read_source as read

    return read(path, ref, train=train)
