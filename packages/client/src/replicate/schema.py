"""Schemas of versions that old releases of Cog made."""

from __future__ import annotations

import re
from typing import Any

_ARRAYS_HAVE_TYPES = (0, 3, 9)
_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def version_has_no_array_type(cog_version: str) -> bool | None:
    """Whether this Cog made no difference between lists and iterators; None where it is no version."""
    found = _NUMBERS.match(cog_version or "")
    return tuple(int(part or 0) for part in found.groups()) < _ARRAYS_HAVE_TYPES if found else None


def make_schema_backwards_compatible(schema: dict[str, Any], cog_version: str) -> dict[str, Any]:
    """Return the schema with the list of such a Cog as the iterator that it may have been."""
    output = schema.get("components", {}).get("schemas", {}).get("Output", {})
    if output.get("type") == "array" and version_has_no_array_type(cog_version):
        output["x-cog-array-type"] = "iterator"
    return schema
