"""`-i name=value` and `--json` to a prediction's input, by the model's schema."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from cogyard.cli.errors import MisuseError
from cogyard.project.suggest import did_you_mean

TRUE = frozenset({"true", "t", "1", "yes", "y", "on"})
FALSE = frozenset({"false", "f", "0", "no", "n", "off"})
_INTEGER = re.compile(r"[+-]?\d+")
_ADDRESS = re.compile(r"(https?://|data:)", re.IGNORECASE)

Schema = Mapping[str, Any]


class InputsError(MisuseError):
    """What was given does not fit the model's inputs."""

    code = "input_invalid"


class ValueProblemError(ValueError):
    """One value does not fit; carries the sentence to show."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Say what is wrong with the value."""
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Where `@-` reads from: kept in a file of `scratch`, once."""

    scratch: Path

    def path(self) -> Path:
        """Read stdin to its end into a file and return it."""
        path = self.scratch / "stdin"
        if not path.exists():
            with path.open("wb") as file:
                while chunk := sys.stdin.buffer.read(1 << 20):
                    file.write(chunk)
        return path


def input_schema(document: Schema) -> Schema:
    """Return the schema of the inputs from a model's OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    found = schemas.get("Input") or schemas.get("TrainingInput") or {}
    return {**found, "x-schemas": schemas}


def from_arguments(arguments: Sequence[str], document: Schema, standard: Standard) -> dict[str, Any]:
    """Turn `name=value` arguments into an input; raise InputsError with everything that does not fit."""
    schema = input_schema(document)
    properties: Mapping[str, Schema] = schema.get("properties", {})
    given: dict[str, list[str]] = {}
    problems: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise InputsError(
                f"failed to parse input `{argument}`: the expected form is name=value",
                hint=f"For example: {_command()} -i text=hello",
            )
        given.setdefault(name, []).append(value if value.startswith("@") else _in_utf8(value))
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if name not in properties:
            problems.append(unknown(name, properties))
            continue
        try:
            values[name] = _value(texts, resolved(properties[name], schema["x-schemas"]), schema, standard)
        except ValueProblemError as error:
            problems.append(f"{name}: {error}" + (f"\n      {error.hint}" if error.hint else ""))
    problems += missing(values, schema, given)
    _raise(problems, properties)
    return values


def from_json(text: str, document: Schema, standard: Standard) -> dict[str, Any]:
    """Turn `--json TEXT|@FILE|-` into an input. Texts that begin with @ are read as files."""
    try:
        if text in {"-", "@-"}:
            text = standard.path().read_text("utf-8")
        elif text.startswith("@"):
            text = _existing(text[1:]).read_text("utf-8")
        values = json.loads(_in_utf8(text))
    except ValueProblemError as error:
        raise InputsError(f"--json: {error}", hint=error.hint) from error
    except ValueError as error:
        raise InputsError(f"--json is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputsError("--json must hold an object with the inputs by name")
    schema = input_schema(document)
    properties: Mapping[str, Schema] = schema.get("properties", {})
    problems = [unknown(name, properties) for name in values if name not in properties]
    problems += missing(values, schema, values)
    for name in [name for name in values if name in properties]:
        try:
            values[name] = _json_value(
                values[name], resolved(properties[name], schema["x-schemas"]), standard
            )
        except ValueProblemError as error:
            problems.append(f"{name}: {error}")
    _raise(problems, properties)
    return values


def _in_utf8(text: str) -> str:
    """Return a text from the command line whose bytes the locale's encoding has no letters for. Raises InputsError."""
    if not any("\udc80" <= letter <= "\udcff" for letter in text):
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise InputsError(
            f"`{shown}` is no text: its bytes are not UTF-8",
            hint="Bytes come from a file: NAME=@FILE.",
        ) from None


def unknown(name: str, properties: Mapping[str, Schema]) -> str:
    """Say that there is no such input, and which are near."""
    valid = ", ".join(properties) or "none"
    return (
        f"unknown input `{name}`. {did_you_mean(name, properties) or ''} Valid inputs are: {valid}".replace(
            "  ", " "
        )
    )


def missing(values: Mapping[str, Any], schema: Schema, given: Mapping[str, Any]) -> list[str]:
    """Say which required inputs are not there, with what they mean."""
    lines = []
    for name in schema.get("required", []):
        if name not in values and name not in given:
            meaning = schema["properties"].get(name, {}).get("description")
            lines.append(f"missing required input `{name}`" + (f" ({meaning})" if meaning else ""))
    return lines


def resolved(schema: Schema, schemas: Schema) -> Schema:
    """Return a property's schema with its reference (a choice) put in."""
    whole = dict(schema)
    for part in schema.get("allOf", []):
        whole = {**_follow(part, schemas), **whole}
    return {**_follow(whole, schemas), **whole} if "$ref" in whole else whole


def is_file(schema: Schema) -> bool:
    """Say whether a schema stands for a file."""
    return schema.get("type") == "string" and schema.get("format") == "uri"


def example(properties: Mapping[str, Schema]) -> str:
    """Return a command line that shows how the inputs are given."""
    parts = []
    for name, schema in list(properties.items())[:3]:
        parts.append(f"-i {name}={_shown(schema)}")
    return f"For example: {_command()} {' '.join(parts)}" if parts else "This model takes no inputs."


def _shown(schema: Schema) -> str:
    # What is typed must be taken as what is meant: `None` and `True` would arrive as those words.
    default = schema.get("default")
    if is_file(schema):
        return "@file"
    if default is None or default == "":
        return "…"
    return shlex.quote(default if isinstance(default, str) else json.dumps(default, ensure_ascii=False))


def _command() -> str:
    """Return the command as it was called."""
    context = click.get_current_context(silent=True)
    return context.command_path if context is not None else "cog predict"


def _value(texts: Sequence[str], schema: Schema, whole: Schema, standard: Standard) -> Any:
    if schema.get("type") == "array":
        items = resolved(schema.get("items", {}), whole["x-schemas"])
        if len(texts) == 1 and texts[0].lstrip().startswith("["):
            return _files_in(_json(texts[0], list, "a JSON array"), standard)
        return [_scalar(text, items, whole, standard) for text in texts]
    if len(texts) > 1:
        raise ValueProblemError(f"given {len(texts)} times, but it takes one value")
    return _scalar(texts[0], schema, whole, standard)


def _scalar(text: str, schema: Schema, whole: Schema, standard: Standard) -> Any:
    if "enum" in schema:
        return _choice(text, schema)
    if "anyOf" in schema:
        return _union(text, schema["anyOf"], whole, standard)
    if is_file(schema):
        return _file(text, standard)
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _READERS:
        return _READERS[kind](text)
    return _text(text, standard) if kind == "string" else _anything(text, standard)


def _anything(text: str, standard: Standard) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return _text(text, standard)


def _choice(text: str, schema: Schema) -> Any:
    for choice in schema["enum"]:
        if str(choice) == text or (isinstance(choice, float) and _is_number(text) and float(text) == choice):
            return choice
    choices = [str(choice) for choice in schema["enum"]]
    raise ValueProblemError(
        f"must be one of: {', '.join(choices)}, not `{text}`", did_you_mean(text, choices)
    )


def _union(text: str, members: Sequence[Schema], whole: Schema, standard: Standard) -> Any:
    # Texts come last: anything is a text.
    ordered = sorted(members, key=lambda one: one.get("type") == "string" and not is_file(one))
    for member in ordered:
        try:
            return _scalar(text, resolved(member, whole["x-schemas"]), whole, standard)
        except ValueProblemError:
            continue
    kinds = " or ".join(str(member.get("type", "value")) for member in members)
    raise ValueProblemError(f"expected {kinds}, got `{text}`")


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueProblemError(f"expected a whole number, got `{text}`")
    return int(text)


def _number(text: str) -> float:
    if not _is_number(text):
        raise ValueProblemError(f"expected a number, got `{text}`")
    return float(text)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower in TRUE | FALSE:
        return lower in TRUE
    raise ValueProblemError(f"expected true or false, got `{text}`")


def _text(text: str, standard: Standard) -> str:
    if text.startswith("@"):
        path = standard.path() if text == "@-" else _existing(text[1:])
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ValueProblemError(f"{text[1:]} is not UTF-8 text, and this input takes text") from error
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1] if quoted else text


def _file(text: str, standard: Standard) -> Path | str:
    if text in {"-", "@-"}:
        return standard.path()
    if text.startswith("@"):
        return _existing(text[1:])
    if _ADDRESS.match(text):
        return text
    if not text:
        raise ValueProblemError("expected a file (@path) or an http(s) address, got nothing")
    hint = f"Put an @ before the name of a file: @{text}"
    raise ValueProblemError(f"expected a file (@path) or an http(s) address, got `{text}`", hint)


def _existing(name: str) -> Path:
    if not name:
        raise ValueProblemError("the name of a file is missing after the @")
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            raise ValueProblemError(f"{name} is a folder, not a file")
        with path.open("rb"):
            return path.absolute()
    except FileNotFoundError as error:
        beside = name.removesuffix(path.name)
        near = did_you_mean(path.name, _names_like(path), prefix=f"@{beside}")
        raise ValueProblemError(f"there is no file {name}", near) from error
    except OSError as error:
        raise ValueProblemError(f"{name} cannot be read: {error.strerror}") from error


def _names_like(path: Path) -> list[str]:
    """Return the files beside a path that begin like it or nearly so; a common ending alone is no likeness."""
    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()][:1000]
    except OSError:
        return []
    return [name for name in names if get_close_matches(path.stem, [Path(name).stem], cutoff=0.6)]


def _json(text: str, kind: type, called: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueProblemError(f"expected {called}: {error}") from error
    if not isinstance(value, kind):
        raise ValueProblemError(f"expected {called}, got `{text}`")
    return value


def _json_value(value: Any, schema: Schema, standard: Standard) -> Any:
    """Put in the files that texts beginning with @ name: whole for a file input, their text for a text input."""
    if isinstance(value, str) and value.startswith("@") and len(value) > 1 and schema.get("type") == "string":
        return _file(value, standard) if is_file(schema) else _text(value, standard)
    return _files_in(value, standard) if isinstance(value, list) else value


def _files_in(value: Any, standard: Standard) -> Any:
    if isinstance(value, str) and value.startswith("@") and len(value) > 1:
        return standard.path() if value == "@-" else _existing(value[1:])
    if isinstance(value, list):
        return [_files_in(one, standard) for one in value]
    return value


def _object(text: str) -> Any:
    return _json(text, dict, "a JSON object")


_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "object": _object,
}


def _follow(schema: Schema, schemas: Schema) -> Schema:
    ref = schema.get("$ref")
    found = schemas.get(str(ref).rpartition("/")[2], {}) if ref else schema
    return found if isinstance(found, Mapping) else {}


def _raise(problems: Sequence[str], properties: Mapping[str, Schema]) -> None:
    if not problems:
        return
    listed = f" {problems[0]}" if len(problems) == 1 else "".join(f"\n  - {line}" for line in problems)
    raise InputsError(f"the input does not fit the model:{listed}", hint=example(properties))
