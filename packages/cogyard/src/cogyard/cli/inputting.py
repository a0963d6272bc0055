"""From what the command line gives to an input that fits the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogyard.cli.errors import MisuseError

if TYPE_CHECKING:
    from cog_server.errors import InputInvalidError

    from cogyard.cli.inputs import InputsError


def check_exclusive(inputs: tuple[str, ...], json_text: str | None) -> None:
    """Refuse -i beside --json."""
    if inputs and json_text is not None:
        raise MisuseError("-i and --json cannot be used together", hint="Put every input into the JSON.")


def read_input(
    inputs: tuple[str, ...], json_text: str | None, document: Mapping[str, Any], scratch: Path
) -> dict[str, Any]:
    """Return the input that was given, checked as the model server checks it. Raises InputsError."""
    from cogyard.cli.inputs import Standard, from_arguments, from_json

    standard = Standard(scratch=scratch)
    if json_text is not None:
        values = from_json(json_text, document, standard)
    else:
        values = from_arguments(inputs, document, standard)
    check_input(values, document)
    return values


def check_input(values: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Check an input by the model's document. Raises InputsError."""
    from cog_server.errors import InputInvalidError
    from cog_server.validation import InputSchema

    try:
        InputSchema.compile(document).check(values)
    except InputInvalidError as error:
        raise misfit(error) from error


def misfit(error: InputInvalidError) -> InputsError:
    """Return the model server's refusal as a command says it."""
    from cogyard.cli.inputs import InputsError

    lines = [f"{'.'.join(str(part) for part in one.loc[2:])}: {one.message}" for one in error.problems]
    listed = lines[0] if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    return InputsError(f"the input does not fit the model: {listed}")


def empty_files(value: Any) -> list[str]:
    """Return the names of the files in an input that have nothing in them."""
    if isinstance(value, Path):
        return [value.name] if value.is_file() and not value.stat().st_size else []
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [name for item in items for name in empty_files(item)]
