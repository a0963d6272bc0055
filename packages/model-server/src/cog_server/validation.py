"""Check a prediction's input against the model's OpenAPI document: pure, all problems at once.

The schema of each input is compiled once into a function, so that a check costs a few hundred nanoseconds an input.
Besides problems it finds where the files are, because a file is a string with `format: uri` and nothing else tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cog_server import checks
from cog_server.checks import MAX_PROBLEMS, NAME_SHOWN, Check, Found
from cog_server.errors import InputInvalidError
from cog_server.formats import EXAMPLES
from cog_server.inputs.prepare import FilePlace

_HIDDEN = "**********"
_REFERENCES_DEEP = 32


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
            name for name, schema in properties.items() if checks.is_secret(compiler.resolve(schema))
        )
        return cls(fields, tuple(root.get("required", ())), secrets, has_files=compiler.has_files)

    def check(self, value: Mapping[str, Any]) -> list[FilePlace]:
        """Return where the files of an input are. Raises InputInvalidError with every problem."""
        found = Found()
        if self.fields is None:
            checks.free(value, (), found)
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
        advice = checks.advice_on(name, list(self.fields or ()), "inputs")
        found.problem(
            (name[:NAME_SHOWN],), f"Unknown input {name[:NAME_SHOWN]!r}; {advice}", "value_error.extra"
        )


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
                return checks.any_of([self.compile(member) for member in schema[key]], schema[key])
        if isinstance(schema.get("enum"), list):
            return checks.enum(schema["enum"])
        kind = schema.get("type")
        if kind == "string":
            if schema.get("format") == "uri":
                self.has_files = True
                return checks.file
            if schema.get("format") in EXAMPLES:
                return checks.formed(schema["format"])
            return checks.string(schema)
        if kind in ("integer", "number"):
            return checks.number(schema, whole=kind == "integer")
        if kind == "boolean":
            return checks.boolean
        if kind == "null":
            return checks.null
        if kind == "array":
            item = self.compile(schema["items"]) if schema.get("items") else checks.free
            places = schema.get("x-cog-items")
            each = [self.compile(place) for place in places] if isinstance(places, list) else []
            return checks.array(schema, item, each)
        if kind == "object":
            return self._object(schema)
        return checks.free

    def _object(self, schema: Mapping[str, Any]) -> Check:
        """Return the check of an object: of its fields, where the schema names them. A class may hold its own kind."""
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        if not isinstance(properties, Mapping) or not (
            properties or (others and isinstance(others, Mapping))
        ):
            return checks.any_object
        key = id(properties or others)
        if key not in self._records:
            self._records[key] = lambda value, loc, found: self._records[key](value, loc, found)  # noqa: PLW0108 - replaced below
            fields = {name: self.compile(field) for name, field in properties.items()}
            rest = (
                self.compile(others)
                if isinstance(others, Mapping)
                else checks.free
                if others is True
                else None
            )
            self._records[key] = checks.record(fields, tuple(schema.get("required", ())), rest)
        return self._records[key]
