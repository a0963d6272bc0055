"""A version's schema → the fields of its form. Pure: no request, no HTML.

Theory of operation: a schema comes out of an image that a stranger may have pushed, so nothing in it is believed.
Whatever this module does not understand becomes a JSON editor, which can express every input; the model server
has the last word on what is valid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: References inside one property that are followed before it is taken for a loop.
MAX_REFERENCES = 8

#: Fields shown; a form beyond this is a mistake or an attack, and the JSON tab still takes everything.
MAX_FIELDS = 200
#: What a schema of Cog says of every input with choices.
_CHOICE = "An enumeration."


class Kind(StrEnum):
    """How a field is edited."""

    TEXT = "text"
    NUMBER = "number"
    SLIDER = "slider"
    CHECKBOX = "checkbox"
    CHOICE = "choice"
    FILE = "file"
    PASSWORD = "password"  # noqa: S105 - a kind of field
    LIST = "list"
    JSON = "json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Widget:
    """One field of a form. `default` counts only when `has_default`; numbers are in the model's own units."""

    name: str
    kind: Kind
    title: str
    type: str
    description: str = ""
    required: bool = False
    nullable: bool = False
    deprecated: bool = False
    integer: bool = False
    has_default: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    choices: tuple[Any, ...] = ()
    accept: str | None = None
    items: Widget | None = None

    @property
    def step(self) -> str:
        """Return the step of a number field as HTML writes it."""
        if self.integer:
            return "1"
        if self.kind is Kind.SLIDER and self.minimum is not None and self.maximum is not None:
            return slider_step(self.maximum - self.minimum)
        return "any"

    @property
    def default_text(self) -> str:
        """Return the default as a person would type it, empty when there is none."""
        if not self.has_default or self.default is None:
            return ""
        if isinstance(self.default, str):
            return self.default
        return json.dumps(self.default, ensure_ascii=False)

    @property
    def limits(self) -> str:
        """Say the limits in words, empty when there are none: `minimum: 1, maximum: 4`."""
        parts = [
            ("minimum", self.minimum),
            ("maximum", self.maximum),
            ("at least", self.min_length),
            ("at most", self.max_length),
        ]
        words = [f"{word}: {number_text(value)}" for word, value in parts[:2] if value is not None]
        words += [f"{word} {value} characters" for word, value in parts[2:] if value is not None]
        return ", ".join(words)


def number_text(value: float) -> str:
    """Write a number without a needless `.0`."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def slider_step(span: float) -> str:
    """Return a step that gives a slider of this span some hundred places."""
    for step in ("0.001", "0.01", "0.1"):
        if span <= float(step) * 1000:
            return step
    return "1"


def input_schema(document: Mapping[str, Any], *, name: str = "Input") -> Mapping[str, Any]:
    """Return the schema of a version's input, empty when the document has none."""
    return _mapping(_mapping(_mapping(_mapping(document).get("components")).get("schemas")).get(name))


def output_schema(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a version's output with its references resolved, empty when there is none."""
    return _resolve(input_schema(document, name="Output"), document)


def widgets(document: Mapping[str, Any], *, name: str = "Input") -> tuple[Widget, ...]:
    """Return the fields of a version's input, in the author's order."""
    schema = _resolve(input_schema(document, name=name), document)
    required = schema.get("required")
    names = set(filter(_is_text, required)) if isinstance(required, list) else set()
    properties = [(key, _mapping(value)) for key, value in _mapping(schema.get("properties")).items()]
    ordered = sorted(properties[:MAX_FIELDS], key=lambda item: _order(item[1]))
    return tuple(_widget(key, prop, document, required=key in names) for key, prop in ordered)


def examples(fields: tuple[Widget, ...]) -> dict[str, Any]:
    """Return an input that shows how to call: required fields, and the defaults that say something."""
    shown: dict[str, Any] = {}
    for field in fields:
        if field.deprecated:
            continue
        if field.has_default and field.default is not None:
            shown[field.name] = field.default
        elif field.required:
            shown[field.name] = placeholder(field)
    return shown


def placeholder(field: Widget) -> Any:
    """Return a value of the right type for a field without a default."""
    if field.choices:
        return field.choices[0]
    plain: dict[Kind, Any] = {
        Kind.NUMBER: number_of(field),
        Kind.SLIDER: number_of(field),
        Kind.CHECKBOX: False,
        Kind.FILE: f"https://example.com/{field.name}",
        Kind.LIST: [],
        Kind.JSON: {},
    }
    return plain.get(field.kind, "…")


def number_of(field: Widget) -> float:
    """Return a number inside a field's limits."""
    value = field.minimum if field.minimum is not None else field.maximum if field.maximum is not None else 1
    return int(value) if field.integer else value


def _widget(name: str, prop: Mapping[str, Any], document: Mapping[str, Any], *, required: bool) -> Widget:
    raw, nullable = _without_null(_resolve(prop, document), document)
    kind = _kind(raw)
    default = prop.get("default", raw.get("default"))
    has_default = "default" in prop or "default" in raw
    items = raw.get("items")
    item = _widget(name, _mapping(items), document, required=True) if kind is Kind.LIST else None
    if item is not None and item.kind in {Kind.LIST, Kind.JSON}:
        kind, item = Kind.JSON, None
    return Widget(
        name=name,
        kind=kind,
        title=_text(prop.get("title")) or name,
        type=_type_name(raw, kind, item),
        description=_description(prop, raw),
        required=required and not has_default,
        nullable=nullable or prop.get("nullable") is True,
        deprecated=prop.get("deprecated") is True,
        integer=raw.get("type") == "integer",
        has_default=has_default,
        default=default,
        minimum=_number(raw.get("minimum", raw.get("exclusiveMinimum"))),
        maximum=_number(raw.get("maximum", raw.get("exclusiveMaximum"))),
        min_length=_length(raw.get("minLength")),
        max_length=_length(raw.get("maxLength")),
        pattern=_text(raw.get("pattern")) or None,
        choices=_choices(raw),
        accept=_text(prop.get("x-cog-accept")) or None,
        items=item,
    )


def _description(prop: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    """Return the author's words; those that Cog writes of every choice say nothing."""
    own = _text(raw.get("description"))
    return _text(prop.get("description")) or ("" if own == _CHOICE else own)


def _kind(raw: Mapping[str, Any]) -> Kind:
    if _choices(raw):
        return Kind.CHOICE
    match raw.get("type"):
        case "string":
            kind = _kind_of_text(raw)
        case "integer" | "number":
            low, high = _number(raw.get("minimum")), _number(raw.get("maximum"))
            kind = Kind.SLIDER if low is not None and high is not None and low < high else Kind.NUMBER
        case "boolean":
            kind = Kind.CHECKBOX
        case "array" if isinstance(raw.get("items"), Mapping):
            kind = Kind.LIST
        case _:
            kind = Kind.JSON
    return kind


def _kind_of_text(raw: Mapping[str, Any]) -> Kind:
    if raw.get("format") == "password" or raw.get("x-cog-secret") is True:
        return Kind.PASSWORD
    return Kind.FILE if raw.get("format") == "uri" else Kind.TEXT


def _type_name(raw: Mapping[str, Any], kind: Kind, item: Widget | None) -> str:
    if kind is Kind.FILE:
        return "file"
    if kind is Kind.PASSWORD:
        return "secret"
    if item is not None:
        return f"list of {item.type}"
    return _text(raw.get("type")) or ("string" if kind is Kind.CHOICE else "any")


def _resolve(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow `$ref` and a lone `allOf`; keys beside them win, as Cog's choices need."""
    for _ in range(MAX_REFERENCES):
        beside = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        every = schema.get("allOf")
        if _is_text(schema.get("$ref")):
            schema = {**_pointer(document, schema["$ref"]), **beside}
        elif isinstance(every, list) and len(every) == 1:
            schema = {**_mapping(every[0]), **beside}
        else:
            return schema
    return {}


def _pointer(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = document
    if not reference.startswith("#/"):
        return {}
    for part in reference.removeprefix("#/").split("/"):
        found = _mapping(found).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(found)


def _without_null(schema: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Take `null` out of a union; a union of one other type is that type."""
    for word in ("anyOf", "oneOf"):
        union = schema.get(word)
        if not isinstance(union, list):
            continue
        members = [_resolve(_mapping(member), document) for member in union]
        others = [member for member in members if member.get("type") != "null"]
        nullable = len(others) < len(members)
        if len(others) == 1:
            rest = {key: value for key, value in schema.items() if key != word}
            return {**others[0], **rest}, nullable
        return {}, nullable
    return schema, False


def _choices(raw: Mapping[str, Any]) -> tuple[Any, ...]:
    values = raw.get("enum")
    if not isinstance(values, list):
        return ()
    return tuple(value for value in values if isinstance(value, str | int | float | bool))


def _order(prop: Mapping[str, Any]) -> float:
    order = _number(prop.get("x-order"))
    return order if order is not None else float("inf")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _length(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
