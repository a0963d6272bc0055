"""A schema becomes a form, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cogyard.web.forms import Kind, Widget, examples, widgets
from hypothesis import given
from hypothesis import strategies as st


def document(properties: dict[str, Any], required: list[str] | None = None, **schemas: Any) -> dict[str, Any]:
    """Return a document with this input."""
    body = {"type": "object", "properties": properties, "required": required or []}
    return {"components": {"schemas": {"Input": body, **schemas}}}


def field(prop: dict[str, Any], *, required: bool = False, **schemas: Any) -> Widget:
    """Return the one field of a document that has one."""
    (found,) = widgets(document({"x": prop}, ["x"] if required else [], **schemas))
    return found


@pytest.mark.parametrize(
    ("prop", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "string", "format": "uri"}, Kind.FILE),
        ({"type": "string", "format": "password", "x-cog-secret": True}, Kind.PASSWORD),
        ({"type": "integer"}, Kind.NUMBER),
        ({"type": "number", "minimum": 0}, Kind.NUMBER),
        ({"type": "number", "minimum": 0, "maximum": 2}, Kind.SLIDER),
        ({"type": "number", "minimum": 2, "maximum": 2}, Kind.NUMBER),
        ({"type": "boolean"}, Kind.CHECKBOX),
        ({"type": "string", "enum": ["a", "b"]}, Kind.CHOICE),
        ({"type": "array", "items": {"type": "string"}}, Kind.LIST),
        ({"type": "array", "items": {"type": "string", "format": "uri"}}, Kind.LIST),
        ({"type": "array", "items": {"type": "object"}}, Kind.JSON),
        ({"type": "array"}, Kind.JSON),
        ({"type": "object"}, Kind.JSON),
        ({}, Kind.JSON),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, Kind.JSON),
    ],
)
def test_every_schema_has_its_way_of_editing(prop: dict[str, Any], kind: Kind) -> None:
    """Each type of input has the field that suits it, and what is unknown a JSON editor."""
    assert field(prop).kind is kind


def test_choices_come_through_references_as_cog_writes_them() -> None:
    """A choice is a reference to a schema of its own, beside a default and a description."""
    found = field(
        {"allOf": [{"$ref": "#/components/schemas/style"}], "default": "oil", "description": "Style"},
        style={"type": "string", "enum": ["oil", "ink"]},
    )
    assert (found.kind, found.choices, found.default, found.description) == (
        Kind.CHOICE,
        ("oil", "ink"),
        "oil",
        "Style",
    )


def test_a_nullable_union_is_its_other_member() -> None:
    """`int | None` is edited as a number that may be left empty."""
    found = field({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None})
    assert (found.kind, found.nullable, found.integer, found.required) == (Kind.NUMBER, True, True, False)


def test_fields_stand_in_the_authors_order() -> None:
    """x-order decides, and fields without one come last."""
    found = widgets(document({"c": {"type": "string"}, "b": {"x-order": 1}, "a": {"x-order": 0}}))
    assert [each.name for each in found] == ["a", "b", "c"]


def test_a_field_with_a_default_is_not_required() -> None:
    """A field is required only when the author gave no default, whatever the list of required names says."""
    assert field({"type": "string"}, required=True).required
    assert not field({"type": "string", "default": ""}, required=True).required


@pytest.mark.parametrize(
    ("prop", "words"),
    [
        ({"type": "number", "minimum": 1, "maximum": 4.5}, "minimum: 1, maximum: 4.5"),
        ({"type": "string", "minLength": 2, "maxLength": 5}, "at least 2 characters, at most 5 characters"),
        ({"type": "string"}, ""),
    ],
)
def test_limits_are_said_in_words(prop: dict[str, Any], words: str) -> None:
    """A field says its limits as a person reads them."""
    assert field(prop).limits == words


def test_a_reference_that_goes_in_circles_ends() -> None:
    """A schema that refers to itself makes a JSON editor, not a loop."""
    assert field({"$ref": "#/components/schemas/a"}, a={"$ref": "#/components/schemas/a"}).kind is Kind.JSON


@pytest.mark.parametrize(
    "step", [({"minimum": 0, "maximum": 1}, "0.001"), ({"minimum": 0, "maximum": 20}, "0.1")]
)
def test_a_slider_has_some_hundred_places(step: tuple[dict[str, float], str]) -> None:
    """The step of a slider fits its span."""
    prop, expected = step
    assert field({"type": "number", **prop}).step == expected


schema_keys = st.sampled_from(
    [
        "type",
        "format",
        "anyOf",
        "allOf",
        "enum",
        "items",
        "$ref",
        "default",
        "minimum",
        "x-order",
        "title",
        "x",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(schema_keys, inner, max_size=4),
    max_leaves=12,
)


@given(prop=json_values, required=json_values)
def test_no_schema_breaks_the_page(prop: Any, required: Any) -> None:
    """Whatever a stranger's image says its schema is, there is a form, and its example is JSON."""
    hostile = document({"x": prop})
    hostile["components"]["schemas"]["Input"]["required"] = required
    found = widgets(hostile)
    assert len(found) == 1
    assert isinstance(found[0].limits + found[0].step + found[0].default_text, str)
    json.dumps(examples(found))


@given(hostile=json_values)
def test_no_document_breaks_the_page(hostile: Any) -> None:
    """Whatever stands where a document should be, there is a form, if only an empty one."""
    assert isinstance(widgets(hostile), tuple)
    assert isinstance(widgets({"components": {"schemas": {"Input": hostile}}}), tuple)


def test_what_cog_writes_of_every_choice_is_not_shown() -> None:
    """A choice without a description has none; words of the author's in its own schema are kept."""
    for words, shown in (("An enumeration.", ""), ("How it looks", "How it looks")):
        found = field(
            {"allOf": [{"$ref": "#/components/schemas/style"}]},
            style={"type": "string", "enum": ["oil", "ink"], "description": words},
        )
        assert found.description == shown
