"""Python values as JSON, where a schema shows them: defaults, choices, the members of an Enum."""

from __future__ import annotations

import enum
import math
import pathlib
from collections.abc import Iterable
from typing import Any

from cog.errors import SchemaError
from cog.input import MISSING
from cog.secret import Secret

UNKNOWN_TYPE = (
    "Use str, int, float, bool, Path, Secret, Literal, an Enum, list[…], dict[str, …], a BaseModel or dataclass "
    "— or Annotated[…, cog.Opaque] for any JSON."
)


def choices_to_json(value: Any) -> Any:
    """Return what was given as choices as a JSON list; what is no collection stays, to be refused."""
    listed = isinstance(value, Iterable) and not isinstance(value, str)
    if isinstance(value, (set, frozenset)):
        return to_json(value)  # sorted: a set's own order is another in every process
    return [to_json(item) for item in value] if listed else to_json(value)


def to_json(value: Any) -> Any:
    """Return a default or choice as JSON has it; MISSING stays. Raises SchemaError when JSON has no such value."""
    if value is MISSING or value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    if isinstance(value, Secret):
        return value.get_secret_value()
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SchemaError(
                f"the default {value} can't be written in JSON", hint="Use None or a finite number."
            )
        return float(value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in value), key=lambda item: (str(type(item)), item))
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    raise SchemaError(
        f"a default of type {type(value).__name__} can't be written in JSON",
        hint="Use a literal, or None and make the value inside the function.",
    )
