"""Check a prediction's input against the model's OpenAPI document: pure, all problems at once.

The schema of each input is compiled once into a function, so that a check costs a few hundred nanoseconds an input.
Besides problems it finds where the files are, because a file is a string with `format: uri` and nothing else tells.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cog_server.errors import InputInvalidError, Problem
from cog_server.formats import EXAMPLES, is_of_form
from cog_server.inputs.prepare import FILE_KEY, FilePlace

Loc = tuple["str | int", ...]


class Found:
    """What one check found: problems, and files by where they are."""

    __slots__ = ("places", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.places: list[FilePlace] = []

    def problem(self, loc: Loc, message: str, kind: str) -> None:
        """Note a problem at `loc`, which is relative to the input."""
        self.problems.append(Problem(("body", "input", *loc), message, kind))

    @property
    def is_full(self) -> bool:
        """Whether enough problems are known."""
        return len(self.problems) >= MAX_PROBLEMS


Check = Callable[[Any, Loc, Found], None]

_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_HIDDEN = "**********"
MAX_PROBLEMS = 50
"""Problems told of one input: an answer should not be many times what was asked, nor take longer than a glance."""
_NAME_SHOWN = 80
_REFERENCES_DEEP = 32
_HOLDERS = (Mapping, list, Path)


@dataclass(frozen=True)
class InputSchema:
    """The compiled check of a model's inputs. `fields` is None when the model has no document: then anything passes."""

    fields: Mapping[str, Check] | None
    required: tuple[str, ...]
    secrets: frozenset[str]
    has_files: bool

    @classmethod
    def none(cls) -> InputSchema:
        """Return the check of a model without a document."""
        return cls(None, (), frozenset(), has_files=False)

    @classmethod
    def compile(cls, document: Mapping[str, Any], *, component: str = "Input") -> InputSchema:
        """Compile the named component of an OpenAPI document; a document without it checks nothing."""
        schemas = document.get("components", {}).get("schemas", {})
        root = schemas.get(component)
        if not isinstance(root, Mapping):
            return cls.none()
        compiler = _Compiler(schemas)
        properties: Mapping[str, Any] = root.get("properties", {})
        fields = {name: compiler.compile(schema) for name, schema in properties.items()}
        secrets = frozenset(
            name for name, schema in properties.items() if _is_secret(compiler.resolve(schema))
        )
        return cls(fields, tuple(root.get("required", ())), secrets, has_files=compiler.has_files)

    def check(self, value: Mapping[str, Any]) -> list[FilePlace]:
        """Return where the files of an input are. Raises InputInvalidError with every problem."""
        found = Found()
        if self.fields is None:
            _free(value, (), found)
        else:
            for name in self.required:
                if name not in value:
                    found.problem((name,), "Field required", "value_error.missing")
            for name, item in value.items():
                if found.problems and found.is_full:
                    break
                check = self.fields.get(name)
                if check is None:
                    self._unknown(name, found)
                else:
                    check(item, (name,), found)
        if found.problems:
            raise InputInvalidError(found.problems[:MAX_PROBLEMS])
        return found.places

    def redact(self, raw: bytes, value: Mapping[str, Any]) -> bytes:
        """Return the JSON of an input that may be shown: `raw` itself unless it holds secrets."""
        if not self.secrets or self.secrets.isdisjoint(value):
            return raw
        shown = {name: _HIDDEN if name in self.secrets and item else item for name, item in value.items()}
        return msgspec.json.encode(shown)

    def _unknown(self, name: str, found: Found) -> None:
        advice = _advice(name, list(self.fields or ()), "inputs")
        found.problem(
            (name[:_NAME_SHOWN],), f"Unknown input {name[:_NAME_SHOWN]!r}; {advice}", "value_error.extra"
        )


def _advice(name: str, known: list[str], what: str) -> str:
    close = difflib.get_close_matches(name[:_NAME_SHOWN], known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"the model's {what} are: {', '.join(known)}" if known else f"the model takes no {what}"


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("x-cog-secret")) or schema.get("format") == "password"


def shown(value: Any) -> str:
    """Return a short description of a wrong value: its kind, and the value itself when it is short."""
    kind = _KINDS.get(type(value), type(value).__name__)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = msgspec.json.encode(value).decode()
        return f"{kind} ({text})" if len(text) <= 60 else kind
    return kind


def _free(value: Any, loc: Loc, found: Found) -> None:
    """Accept free-form input, but not the worker protocol's file marker: it would name a file on this machine.

    A `Path` value (embedded use; JSON has none) is a file wherever it stands.
    """
    stack: list[tuple[Any, Loc]] = [(value, loc)]
    while stack:
        item, where = stack.pop()
        if isinstance(item, Mapping):
            if FILE_KEY in item:
                found.problem(where, f"the key {FILE_KEY!r} is reserved", "value_error.reserved")
                return
            stack.extend((child, (*where, key)) for key, child in item.items() if isinstance(child, _HOLDERS))
        elif isinstance(item, list):
            stack.extend(
                (child, (*where, index)) for index, child in enumerate(item) if isinstance(child, _HOLDERS)
            )
        elif isinstance(item, Path):
            _file(item, where, found)


class _Compiler:
    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._records: dict[int, Check] = {}
        self._named: dict[str, Check] = {}
        self.has_files = False

    def resolve(self, schema: Any) -> Mapping[str, Any]:
        """Follow `$ref` and a single `allOf`, keeping the keys written beside them."""
        current: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
        for _ in range(_REFERENCES_DEEP):
            if "$ref" in current:
                name = str(current["$ref"]).rpartition("/")[2]
                referred = self._schemas.get(name, {})
                beside = {key: value for key, value in current.items() if key != "$ref"}
                current = {**referred, **beside}
            elif isinstance(current.get("allOf"), list) and len(current["allOf"]) == 1:
                beside = {key: value for key, value in current.items() if key != "allOf"}
                current = {**current["allOf"][0], **beside}
            else:
                break
        return current

    def compile(self, raw: Any) -> Check:
        """Return the check of one schema. Named ones are compiled once, however often and from where they are named."""
        name = raw.get("$ref") if isinstance(raw, Mapping) and len(raw) == 1 else None
        if not isinstance(name, str):
            return self._compile(raw)
        if name not in self._named:
            self._named[name] = lambda value, loc, found: self._named[name](value, loc, found)  # noqa: PLW0108 - replaced below
            self._named[name] = self._compile(raw)
        return self._named[name]

    def _compile(self, raw: Any) -> Check:
        schema = self.resolve(raw)
        check = self._inner(schema)
        if schema.get("nullable") or ("default" in schema and schema["default"] is None):
            return lambda value, loc, found: None if value is None else check(value, loc, found)
        return check

    def _inner(self, schema: Mapping[str, Any]) -> Check:  # noqa: PLR0911 - one line for each kind of schema
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return _any_of([self.compile(member) for member in schema[key]], schema[key])
        if isinstance(schema.get("enum"), list):
            return _enum(schema["enum"])
        kind = schema.get("type")
        if kind == "string":
            if schema.get("format") == "uri":
                self.has_files = True
                return _file
            if schema.get("format") in EXAMPLES:
                return _formed(schema["format"])
            return _string(schema)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        if kind == "boolean":
            return _boolean
        if kind == "null":
            return _null
        if kind == "array":
            item = self.compile(schema["items"]) if schema.get("items") else _free
            places = schema.get("x-cog-items")
            each = [self.compile(place) for place in places] if isinstance(places, list) else []
            return _array(schema, item, each)
        if kind == "object":
            return self._object(schema)
        return _free

    def _object(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of an object: of its fields, where the schema names them. A class may hold its own kind."""
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        if not isinstance(properties, Mapping) or not (
            properties or (others and isinstance(others, Mapping))
        ):
            return _object
        key = id(properties or others)
        if key not in self._records:
            self._records[key] = lambda value, loc, found: self._records[key](value, loc, found)  # noqa: PLW0108 - replaced below
            fields = {name: self.compile(field) for name, field in properties.items()}
            rest = self.compile(others) if isinstance(others, Mapping) else _free if others is True else None
            self._records[key] = _record(fields, tuple(schema.get("required", ())), rest)
        return self._records[key]


def _null(value: Any, loc: Loc, found: Found) -> None:
    if value is not None:
        found.problem(loc, f"must be null, got {shown(value)}", "type_error.null")


def _boolean(value: Any, loc: Loc, found: Found) -> None:
    if value is not True and value is not False:
        found.problem(loc, f"must be true or false, got {_or_null(value)}", "type_error.bool")


def _or_null(value: Any) -> str:
    return "null (leave the input out to use its default)" if value is None else shown(value)


def _object(value: Any, loc: Loc, found: Found) -> None:
    if not isinstance(value, dict):
        found.problem(loc, f"must be an object, got {_or_null(value)}", "type_error.dict")
    else:
        _free(value, loc, found)


def _record(fields: Mapping[str, Check], required: tuple[str, ...], rest: Check | None) -> Check:
    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, dict):
            _object(value, loc, found)
            return
        if FILE_KEY in value:
            found.problem(loc, f"the key {FILE_KEY!r} is reserved", "value_error.reserved")
            return
        for name in required:
            if name not in value:
                found.problem((*loc, name), "Field required", "value_error.missing")
        for name, item in value.items():
            if found.problems and found.is_full:
                break
            check_item = fields.get(name, rest)
            if check_item is None:
                advice = _advice(name, list(fields), "fields")
                found.problem(
                    (*loc, name), f"Unknown field {name[:_NAME_SHOWN]!r}; {advice}", "value_error.extra"
                )
            else:
                check_item(item, (*loc, name), found)

    return check


def _file(value: Any, loc: Loc, found: Found) -> None:
    if isinstance(value, Path):
        if value.is_file():
            found.places.append(FilePlace(loc, value))
        else:
            found.problem(loc, f"there is no file {str(value)!r}", "value_error.file")
    elif not isinstance(value, str):
        found.problem(loc, f"must be a data URL or an http(s) URL, got {_or_null(value)}", "type_error.str")
    elif value.startswith(("data:", "http://", "https://")):
        found.places.append(FilePlace(loc, value))
    else:
        given = repr(value) if len(value) <= 60 else repr(value[:57] + "...")
        found.problem(loc, f"must be a data URL or an http(s) URL, got {given}", "value_error.url")


def _enum(members: list[Any]) -> Check:
    texts = ", ".join(msgspec.json.encode(member).decode() for member in members)
    kinds = {(type(member), member) for member in members if not isinstance(member, (list, dict))}

    def check(value: Any, loc: Loc, found: Found) -> None:
        key = value if not isinstance(value, (list, dict)) else None
        # True == 1 in Python, not in JSON; 1.0 and 1 are one number in JSON.
        if (type(key), key) in kinds or (
            type(key) is float and key.is_integer() and (int, int(key)) in kinds
        ):
            return
        found.problem(loc, f"must be one of {texts}; got {_or_null(value)}", "type_error.enum")

    return check


def _string(schema: Mapping[str, Any]) -> Check:
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    pattern = re.compile(schema["pattern"]) if isinstance(schema.get("pattern"), str) else None
    secret = _is_secret(schema)

    def plain(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not str:
            got = _KINDS.get(type(value), "something else") if secret else _or_null(value)
            found.problem(loc, f"must be a string, got {got}", "type_error.str")

    if shortest is None and longest is None and pattern is None:
        return plain

    def check(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not str:
            plain(value, loc, found)
            return
        if shortest is not None and len(value) < shortest:
            message = f"must have at least {shortest} characters, has {len(value)}"
            found.problem(loc, message, "value_error.any_str.min_length")
        if longest is not None and len(value) > longest:
            message = f"must have at most {longest} characters, has {len(value)}"
            found.problem(loc, message, "value_error.any_str.max_length")
        if pattern is not None and pattern.search(value) is None:
            found.problem(loc, f"must match the pattern {pattern.pattern!r}", "value_error.str.regex")

    return check


def _formed(form: str) -> Check:
    what, example = EXAMPLES[form]

    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, str) or not is_of_form(form, value):
            message = f"must be {what} such as {example}, got {_or_null(value)}"
            found.problem(loc, message, f"value_error.{form.replace('-', '')}")

    return check


def _number(schema: Mapping[str, Any], *, whole: bool) -> Check:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    name = "an integer" if whole else "a number"
    kind = "type_error.integer" if whole else "type_error.float"

    def check(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not int and (type(value) is not float or (whole and not value.is_integer())):
            found.problem(loc, f"must be {name}, got {_or_null(value)}", kind)
        elif least is not None and value < least:
            found.problem(loc, f"must be at least {least}, got {value}", "value_error.number.not_ge")
        elif most is not None and value > most:
            found.problem(loc, f"must be at most {most}, got {value}", "value_error.number.not_le")
        elif isinstance(above, (int, float)) and value <= above and above is not True:
            found.problem(loc, f"must be greater than {above}, got {value}", "value_error.number.not_gt")
        elif isinstance(below, (int, float)) and value >= below and below is not True:
            found.problem(loc, f"must be less than {below}, got {value}", "value_error.number.not_lt")

    return check


def _array(schema: Mapping[str, Any], item: Check, each: list[Check]) -> Check:
    """Return the check of a list; `each` has those of its places, where each is of another type."""
    fewest, most = schema.get("minItems"), schema.get("maxItems")

    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, list):
            found.problem(loc, f"must be a list, got {_or_null(value)}", "type_error.list")
            return
        if fewest is not None and len(value) < fewest:
            found.problem(
                loc, f"must have at least {fewest} items, has {len(value)}", "value_error.list.min_items"
            )
        if most is not None and len(value) > most:
            found.problem(
                loc, f"must have at most {most} items, has {len(value)}", "value_error.list.max_items"
            )
        for index, entry in enumerate(value):
            if found.problems and found.is_full:
                break
            (each[index] if index < len(each) else item)(entry, (*loc, index), found)

    return check


def _any_of(members: list[Check], schemas: list[Any]) -> Check:
    names = " or ".join(
        str(s.get("type") or s.get("title") or "value") for s in schemas if isinstance(s, Mapping)
    )

    def check(value: Any, loc: Loc, found: Found) -> None:
        for member in members:
            attempt = Found()
            member(value, loc, attempt)
            if not attempt.problems:
                found.places.extend(attempt.places)
                return
        found.problem(loc, f"must be {names}, got {_or_null(value)}", "type_error.union")

    return check
