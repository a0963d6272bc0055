"""What may be asked of a version: its input, checked against its schema with the model server's own rules."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cog_server.errors import InputInvalidError
from cog_server.validation import InputSchema

from cogyard.domain.depth import MAX_DEPTH, deeper_than, more_values_than
from cogyard.domain.values import Kind, Version
from cogyard.http.errors import InvalidError

_log = logging.getLogger(__name__)

REMEMBERED = 256
#: Inputs of more values are checked beside the event loop: it takes a millisecond for each thousand.
QUICK_VALUES = 5_000
_COMPONENTS = {Kind.PREDICTION: "Input", Kind.TRAINING: "TrainingInput"}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Checks inputs; remembers the compiled schemas of the versions asked for lately."""

    _compiled: dict[str, InputSchema] = field(default_factory=dict)

    def check(
        self, version: Version, value: Mapping[str, Any], kind: Kind = Kind.PREDICTION
    ) -> tuple[str, ...]:
        """Return the names of secret inputs that are given. Raises InvalidError with every problem."""
        return _checked(self._schema(version, _COMPONENTS[kind]), version, value)

    async def check_any(
        self, version: Version, value: Mapping[str, Any], kind: Kind = Kind.PREDICTION
    ) -> tuple[str, ...]:
        """Do what `check` does; a large input holds nobody else up."""
        schema = self._schema(version, _COMPONENTS[kind])
        if more_values_than(value, QUICK_VALUES):
            return await asyncio.to_thread(_checked, schema, version, value)
        return _checked(schema, version, value)

    def _schema(self, version: Version, component: str) -> InputSchema:
        key = f"{version.model}:{version.id}:{component}"
        found = self._compiled.pop(key, None)
        if found is None:
            found = _compiled(version, component)
            if len(self._compiled) >= REMEMBERED:
                self._compiled.pop(next(iter(self._compiled)))
        # Put at the end: the first is the one that was not asked for the longest.
        self._compiled[key] = found
        return found


def _checked(schema: InputSchema, version: Version, value: Mapping[str, Any]) -> tuple[str, ...]:
    if deeper_than(value):
        raise InvalidError(f"The input is nested more than {MAX_DEPTH} levels deep.")
    try:
        schema.check(value)
    except InputInvalidError as error:
        problems = [(".".join(map(str, problem.loc[1:])), problem.message) for problem in error.problems]
        raise InvalidError(
            "\n".join(f"- {field_}: {what}" for field_, what in problems),
            title="Input validation failed",
            problems=problems,
        ) from error
    except Exception:  # noqa: BLE001 - a stranger's document: what it cannot check, the model itself will
        _log.warning("schema unusable", extra={"action": "schema_unusable", "version": version.id})
    return tuple(sorted(schema.secrets & set(value)))


def _compiled(version: Version, component: str) -> InputSchema:
    try:
        return InputSchema.compile(_without_patterns(version.openapi_schema), component=component)
    except Exception:  # noqa: BLE001 - a stranger's document: whatever is wrong with it, the model itself will check
        _log.warning("schema unusable", extra={"action": "schema_unusable", "version": version.id})
        return InputSchema.none()


def _without_patterns(value: Any, depth: int = 0) -> Any:
    # A regular expression of the author's on an input of a stranger's can run for ever; here it would stop the API.
    # The model checks its patterns itself, where only it is stopped.
    if depth > 64:
        raise RecursionError
    if isinstance(value, Mapping):
        return {
            key: _without_patterns(item, depth + 1)
            for key, item in value.items()
            if not (key == "pattern" and isinstance(item, str))
        }
    if isinstance(value, list):
        return [_without_patterns(item, depth + 1) for item in value]
    return value


def declared_idempotent(version: Version, kind: Kind) -> bool:
    """Whether the author has declared that running a prediction, or a training, again does no harm."""
    found: Any = version.openapi_schema
    for key in ("paths", f"/{kind}s", "post", "x-cog-idempotent"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found is True


def outputs_are_files(version: Version) -> bool:
    """Whether a version's output is a file or a list of files."""
    found: Any = version.openapi_schema
    for key in ("components", "schemas", "Output"):
        found = found.get(key) if isinstance(found, Mapping) else None
    item = found.get("items", found) if isinstance(found, Mapping) else None
    return isinstance(item, Mapping) and item.get("format") == "uri"
