"""Checking inputs against a model's schema."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from cog_server.checks import MAX_PROBLEMS
from cog_server.errors import InputInvalidError, Problem
from cog_server.inputs.prepare import FilePlace
from cog_server.validation import InputSchema
from hypothesis import given
from hypothesis import strategies as st

PROPERTIES: dict[str, Any] = {
    "text": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
    "count": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
    "scale": {"type": "number", "minimum": 0.5, "maximum": 2, "default": 1.5},
    "flag": {"type": "boolean", "default": False},
    "style": {"allOf": [{"$ref": "#/components/schemas/style"}], "default": "fast"},
    "image": {"type": "string", "format": "uri", "nullable": True, "default": None},
    "images": {"type": "array", "items": {"type": "string", "format": "uri"}, "default": []},
    "seed": {"type": "integer", "nullable": True},
    "key": {"type": "string", "format": "password", "x-cog-secret": True, "default": ""},
    "extra": {"type": "object", "default": {}},
    "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1},
    "anything": {"default": None},
}
DOCUMENT: dict[str, Any] = {
    "components": {
        "schemas": {
            "Input": {"type": "object", "properties": PROPERTIES, "required": ["text"]},
            "style": {"enum": ["fast", "slow"], "type": "string"},
        }
    }
}
NULL = "null (leave the input out to use its default)"
SCHEMA = InputSchema.compile(DOCUMENT)


def problems(**value: Any) -> list[Problem]:
    """Return what is wrong with an input that is otherwise right."""
    try:
        SCHEMA.check({"text": "abc", **value})
    except InputInvalidError as exc:
        return exc.problems
    return []


@pytest.mark.parametrize(
    "value",
    [
        {"count": 10, "scale": 2, "flag": True, "style": "slow"},
        {"scale": 0.5},
        {"count": 3.0},
        {"image": None, "seed": None},
        {"seed": 123456789012345678901234567890},
        {"either": "a"},
        {"either": 5},
        {"extra": {"a": [1, {"b": None}]}},
        {"anything": [1, "x", None]},
    ],
)
def test_good_inputs_pass(value: dict[str, Any]) -> None:
    """What fits the schema passes: whole floats as integers, null where it is allowed, exact large numbers."""
    assert problems(**value) == []


@pytest.mark.parametrize(
    ("value", "message", "kind"),
    [
        ({"count": 11}, "must be at most 10, got 11", "value_error.number.not_le"),
        ({"count": 0}, "must be at least 1, got 0", "value_error.number.not_ge"),
        ({"count": 1.5}, "must be an integer, got a number (1.5)", "type_error.integer"),
        ({"count": True}, "must be an integer, got a boolean", "type_error.integer"),
        ({"count": "3"}, 'must be an integer, got a string ("3")', "type_error.integer"),
        ({"count": None}, f"must be an integer, got {NULL}", "type_error.integer"),
        ({"scale": "x"}, 'must be a number, got a string ("x")', "type_error.float"),
        ({"flag": 1}, "must be true or false, got an integer (1)", "type_error.bool"),
        ({"text": "a"}, "must have at least 2 characters, has 1", "value_error.any_str.min_length"),
        ({"text": "abcdef"}, "must have at most 5 characters, has 6", "value_error.any_str.max_length"),
        ({"text": "ABC"}, "must match the pattern '^[a-z]+$'", "value_error.str.regex"),
        ({"style": "warp"}, 'must be one of "fast", "slow"; got a string ("warp")', "type_error.enum"),
        ({"image": "cat.png"}, "must be a data URL or an http(s) URL, got 'cat.png'", "value_error.url"),
        ({"image": "file:///x"}, "must be a data URL or an http(s) URL, got 'file:///x'", "value_error.url"),
        ({"image": 3}, "must be a data URL or an http(s) URL, got an integer (3)", "type_error.str"),
        ({"either": []}, "must be integer or string, got a list", "type_error.union"),
        ({"extra": []}, "must be an object, got a list", "type_error.dict"),
    ],
)  # fmt: skip
def test_wrong_inputs_say_what_and_where(value: dict[str, Any], message: str, kind: str) -> None:
    """A wrong value is told with what was expected and what was given."""
    (name,) = value
    assert problems(**value) == [Problem(("body", "input", name), message, kind)]


def test_all_problems_come_at_once_in_the_order_of_the_input() -> None:
    """One answer names everything that is wrong."""
    with pytest.raises(InputInvalidError) as caught:
        SCHEMA.check({"count": "x", "images": ["http://a/b", 3, "nope"], "txt": "abc"})
    assert [problem.loc[2:] for problem in caught.value.problems] == [
        ("text",),
        ("count",),
        ("images", 1),
        ("images", 2),
        ("txt",),
    ]
    assert "text: Field required" in caught.value.message


def test_an_unknown_input_is_refused_with_a_suggestion() -> None:
    """A misspelt name is refused, and the name that was probably meant is told."""
    (problem,) = problems(scael=2)
    assert problem.message == "Unknown input 'scael'; did you mean 'scale'?"
    (problem,) = problems(zzz=2)
    assert problem.message.startswith("Unknown input 'zzz'; the model's inputs are: text, count")


def test_a_wrong_secret_is_not_repeated() -> None:
    """A secret of the wrong kind is refused without telling it."""
    (problem,) = problems(key=123456)
    assert "123456" not in problem.message


def test_files_are_found_where_they_are() -> None:
    """URLs in file inputs are found, also in lists; null and other strings are not files."""
    found = SCHEMA.check({"text": "abc", "image": "data:,x", "images": ["http://a/b", "https://c/d"]})
    assert found == [
        FilePlace(("image",), "data:,x"),
        FilePlace(("images", 0), "http://a/b"),
        FilePlace(("images", 1), "https://c/d"),
    ]


@pytest.mark.parametrize("name", ["extra", "anything"])
def test_the_protocol_s_own_marker_is_refused_anywhere(name: str) -> None:
    """A caller cannot name a file on the server's machine by writing what the server writes to the worker."""
    marker = {"$cog.file": {"path": "/etc/passwd", "name": "x"}}
    assert [problem.type for problem in problems(**{name: {"a": [marker]}})] == ["value_error.reserved"]
    with pytest.raises(InputInvalidError):
        InputSchema.none().check({"image": marker})


def test_a_local_path_is_a_file_only_from_our_own_program(tmp_path: Path) -> None:
    """A Path value (which JSON cannot hold) is taken as a file when it exists."""
    there = tmp_path / "in.txt"
    there.write_text("x")
    assert SCHEMA.check({"text": "abc", "image": there}) == [FilePlace(("image",), there)]
    assert InputSchema.none().check({"any": [there]}) == [FilePlace(("any", 0), there)]
    assert problems(image=tmp_path / "absent")[0].type == "value_error.file"


def test_secrets_are_hidden_where_an_input_is_shown() -> None:
    """The input that answers and webhooks show has no secret in it; without one it is the caller's own bytes."""
    raw = b'{"text":"abc","key":"hunter2"}'
    shown = SCHEMA.redact(raw, {"text": "abc", "key": "hunter2"})
    assert b"hunter2" not in shown
    assert b"abc" in shown
    plain = b'{ "text":"abc" }'
    assert SCHEMA.redact(plain, {"text": "abc"}) is plain


def test_a_model_without_a_document_takes_anything() -> None:
    """Where there is no schema nothing is checked, as Cog does."""
    assert InputSchema.none().check({"whatever": 1}) == []
    assert InputSchema.compile({}).fields is None


def test_references_that_go_in_circles_do_not_hang() -> None:
    """A document whose references lead to themselves compiles to something."""
    loop = {"components": {"schemas": {"a": {"$ref": "#/components/schemas/a"}}}}
    loop["components"]["schemas"]["Input"] = {"properties": {"x": {"$ref": "#/components/schemas/a"}}}  # type: ignore[dict-item]
    assert InputSchema.compile(loop).check({"x": 1}) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PROPERTIES, "unknown"]), json_values, max_size=5))
def test_any_json_is_accepted_or_refused_in_words(value: dict[str, Any]) -> None:
    """No JSON value makes the check fail in any other way than by InputInvalidError."""
    given_up = "text" not in value or "unknown" in value
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            pytest.raises(InputInvalidError) if given_up else contextlib.suppress(InputInvalidError)
        )
        SCHEMA.check(value)


def test_no_more_problems_are_told_than_anybody_reads() -> None:
    """A hundred thousand wrong entries neither take long nor make an answer of megabytes."""
    unknown: dict[str, Any] = {f"k{number}": 1 for number in range(100_000)}
    assert len(problems(**unknown)) == MAX_PROBLEMS
    assert len(problems(images=[1] * 100_000)) == MAX_PROBLEMS
    (one,) = problems(**{"n" * 1_000_000: 1})
    assert len(str(one)) < 1000
