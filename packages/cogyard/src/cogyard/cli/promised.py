"""Whether an output is what the model's schema promises: nothing refuses it, so the author is told at `cog predict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cog_server.outputs import OutputFile

_NAME = "output"
#: What stands for a file: where it was written is not the author's doing.
_ADDRESS = "https://cogyard.invalid/file"


def departures(value: Any, document: Mapping[str, Any], *, training: bool = False) -> list[str]:
    """Return where an output is not what the document says, as sentences; none where it says nothing."""
    from cog_server.errors import InputInvalidError
    from cog_server.validation import InputSchema

    schemas = document.get("components", {}).get("schemas", {})
    promised = schemas.get("TrainingOutput" if training else "Output")
    if not isinstance(promised, Mapping):
        return []
    whole = {**schemas, "Promised": {"properties": {_NAME: promised}}}
    try:
        InputSchema.compile({"components": {"schemas": whole}}, component="Promised").check(
            {_NAME: _plain(value)}
        )
    except InputInvalidError as error:
        found = [(one.loc[3:], one.message) for one in error.problems]
        # A number that is none is null in JSON, whatever was promised.
        return [_sentence(loc, message) for loc, message in found if _at(value, loc) is not None]
    return []


def _sentence(loc: tuple[str | int, ...], message: str) -> str:
    return f"{'.'.join(map(str, loc))}: {message}" if loc else message


def _plain(value: Any) -> Any:
    if isinstance(value, OutputFile):
        return _ADDRESS
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _at(value: Any, loc: tuple[str | int, ...]) -> Any:
    """Return what stands at a place; something where nothing does, for a field that is missing."""
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ...
    return value
