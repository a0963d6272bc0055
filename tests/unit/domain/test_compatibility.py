"""A change is breaking exactly when a caller of the old schema may be refused, or be given what it never had."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.domain.compatibility import compare
from hypothesis import given
from hypothesis import strategies as st


def document(
    inputs: dict[str, Any], required: list[str] | None = None, output: Any = None, **more: Any
) -> Any:
    """Make a model's OpenAPI document."""
    schemas = {
        "Input": {"type": "object", "properties": inputs, "required": required or []},
        "Output": output or {"type": "string"},
        **more,
    }
    return {"components": {"schemas": schemas}}


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
FILE = {"type": "string", "format": "uri"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": TEXT}, {}, ""),
        ({"a": TEXT, "b": TEXT}, {"a": TEXT}, "input b: removed"),
        ({"a": TEXT}, {"a": WHOLE}, "input a: type string, now integer"),
        ({"a": TEXT}, {"a": FILE}, "input a: type string, now file"),
        ({"a": NUMBER}, {"a": WHOLE}, "input a: type number, now integer"),
        ({"a": WHOLE}, {"a": WHOLE | {"maximum": 5}}, "input a: maximum 5"),
        ({"a": WHOLE | {"maximum": 9}}, {"a": WHOLE | {"maximum": 5}}, "input a: maximum 9, now 5"),
        ({"a": WHOLE | {"minimum": 1}}, {"a": WHOLE | {"minimum": 2}}, "input a: minimum 1, now 2"),
        ({"a": TEXT}, {"a": TEXT | {"pattern": "x"}}, 'input a: pattern "x"'),
        ({"a": TEXT}, {"a": TEXT | {"enum": ["x"]}}, 'input a: choices ["x"]'),
        (
            {"a": TEXT | {"enum": ["x", "y"]}},
            {"a": TEXT | {"enum": ["y", "z"]}},
            'input a: no choices ["x"] any more',
        ),
        ({"a": TEXT | {"nullable": True}}, {"a": TEXT}, "input a: null allowed, now refused"),
        (
            {"a": {"type": "array", "items": TEXT}},
            {"a": {"type": "array", "items": WHOLE}},
            "input a[]: type string, now integer",
        ),
        (
            {"a": {"anyOf": [TEXT, WHOLE]}},
            {"a": {"anyOf": [TEXT, {"type": "boolean"}]}},
            "input a: type integer, now string or boolean",
        ),
        (
            {"a": {"type": "object", "properties": {"x": TEXT, "y": TEXT}}},
            {"a": {"type": "object", "properties": {"x": TEXT}}},
            "input a.y: removed",
        ),
    ],
)
def test_what_refuses_an_old_caller_is_breaking(old: dict[str, Any], new: dict[str, Any], said: str) -> None:
    """Each with its place and both values; no input at all any more is a model that takes none."""
    found = [str(each) for each in compare(document(old), document(new)) if each.breaking]
    assert found == ([said] if said else [])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": TEXT}, {"a": TEXT, "b": TEXT}, "input b: added"),
        ({"a": WHOLE}, {"a": NUMBER}, "input a: type integer, now number"),
        ({"a": WHOLE | {"maximum": 5}}, {"a": WHOLE}, "input a: no maximum 5 any more"),
        ({"a": WHOLE | {"minimum": 5}}, {"a": WHOLE | {"minimum": 1}}, "input a: minimum 5, now 1"),
        ({"a": TEXT | {"enum": ["x"]}}, {"a": TEXT | {"enum": ["x", "y"]}}, 'input a: choices ["y"]'),
        ({"a": TEXT}, {"a": TEXT | {"nullable": True}}, "input a: null refused, now allowed"),
        ({"a": TEXT}, {"a": {"anyOf": [TEXT, WHOLE]}}, "input a: type string, now integer"),
        ({"a": WHOLE | {"default": 1}}, {"a": WHOLE | {"default": 2}}, "input a: default 1, now 2"),
    ],
)
def test_what_takes_more_is_told_and_not_breaking(
    old: dict[str, Any], new: dict[str, Any], said: str
) -> None:
    """Callers may want to know of it; none is refused."""
    (found,) = compare(document(old), document(new))
    assert (str(found), found.breaking) == (said, False)


def test_an_input_that_must_be_given_now_is_breaking() -> None:
    """A new one, and one that had a default; the other way round is not."""
    old, new = document({"a": TEXT, "b": TEXT}), document({"a": TEXT, "b": TEXT, "c": TEXT}, ["b", "c"])
    broken = {str(each) for each in compare(old, new) if each.breaking}
    assert broken == {"input b: required no, now yes", "input c: required no, now yes"}
    assert [each for each in compare(new, old) if each.where != "input c" and each.breaking] == []


@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        (TEXT, WHOLE, True),
        (NUMBER, WHOLE, False),
        (WHOLE, NUMBER, True),
        (TEXT, TEXT | {"nullable": True}, True),
        (TEXT | {"nullable": True}, TEXT, False),
        (TEXT, {"type": "array", "items": TEXT}, True),
        (
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]},
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
            True,
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
            {"type": "object", "properties": {"a": TEXT}},
            True,
        ),
    ],
)
def test_an_output_must_be_what_the_old_one_could_have_been(
    old: dict[str, Any], new: dict[str, Any], *, breaking: bool
) -> None:
    """Whoever reads it expects no more than was promised."""
    found = compare(document({}, output=old), document({}, output=new))
    assert any(each.breaking for each in found) is breaking
    assert found


def test_a_new_field_of_an_output_harms_nobody() -> None:
    """Readers leave out what they do not know."""
    old = {"type": "object", "properties": {"a": TEXT}}
    new = {"type": "object", "properties": {"a": TEXT, "b": TEXT}}
    (found,) = compare(document({}, output=old), document({}, output=new))
    assert (str(found), found.breaking) == ("output b: added", False)


def test_a_training_that_is_no_more_is_breaking() -> None:
    """Whoever trains calls it."""
    training = {"type": "object", "properties": {"data": FILE}}
    old, new = document({}, TrainingInput=training, TrainingOutput=FILE), document({})
    assert [str(each) for each in compare(old, new)] == [
        "training input: removed",
        "training output: removed",
    ]
    assert not any(each.breaking for each in compare(new, old))


def test_words_and_order_are_no_differences() -> None:
    """Titles, descriptions, x-order, and a choice's list by reference or in place."""
    old = document(
        {"m": {"allOf": [{"$ref": "#/components/schemas/m"}], "x-order": 1}}, m=TEXT | {"enum": ["a"]}
    )
    new = document({"m": TEXT | {"enum": ["a"], "title": "M", "description": "mode", "x-order": 7}})
    assert compare(old, new) == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "allOf", "$ref", "enum", "required", "minimum"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(one=_JSON, other=_JSON)
def test_whatever_a_label_holds_is_compared(one: Any, other: Any) -> None:
    """Labels are strangers' JSON: no form of it breaks the comparison, and nothing differs from itself."""
    for value in (one, other):
        assert (
            compare(
                {"components": {"schemas": {"Input": value}}}, {"components": {"schemas": {"Input": value}}}
            )
            == ()
        )
    compare({"components": {"schemas": {"Input": one}}}, {"components": {"schemas": {"Input": other}}})


def test_a_schema_that_names_itself_ends() -> None:
    """By a reference to itself, directly and in a property."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "x": TEXT}}
    old = document(
        {"n": {"$ref": "#/components/schemas/Node"}}, Node=node, Loop={"$ref": "#/components/schemas/Loop"}
    )
    assert compare(old, old) == ()
    loop = document({"n": {"$ref": "#/components/schemas/Loop"}}, Loop={"$ref": "#/components/schemas/Loop"})
    assert compare(loop, loop) == ()
