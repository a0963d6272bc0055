"""Files are found wherever the schema says `format: uri`."""

from __future__ import annotations

from typing import Any

import pytest
from cog_server.errors import InputInvalidError
from cog_server.inputs.prepare import FILE_KEY, FilePlace
from cog_server.validation import InputSchema

FILE = {"type": "string", "format": "uri"}
URL = "https://example.com/a.png"


def schema(kind: dict[str, Any], **more: Any) -> InputSchema:
    """Compile the check of one input `x` of this kind."""
    root = {"type": "object", "properties": {"x": kind}}
    return InputSchema.compile({"components": {"schemas": {"Input": root, **more}}})


BOX = {
    "type": "object",
    "properties": {"picture": FILE, "size": {"type": "integer"}},
    "required": ["picture"],
}
TREE = {"type": "object", "properties": {"file": FILE, "next": {"$ref": "#/components/schemas/Tree"}}}


@pytest.mark.parametrize(
    ("kind", "value", "paths"),
    [
        (BOX, {"picture": URL, "size": 1}, [("x", "picture")]),
        ({"$ref": "#/components/schemas/Box"}, {"picture": URL}, [("x", "picture")]),
        ({"type": "array", "items": BOX}, [{"picture": URL}] * 2, [("x", 0, "picture"), ("x", 1, "picture")]),
        ({"type": "object", "additionalProperties": FILE}, {"a": URL}, [("x", "a")]),
        (
            {"$ref": "#/components/schemas/Tree"},
            {"next": {"next": {"file": URL}}},
            [("x", "next", "next", "file")],
        ),
        (BOX | {"nullable": True}, None, []),
        ({"anyOf": [{"type": "integer"}, BOX]}, {"picture": URL}, [("x", "picture")]),
        ({"type": "object"}, {"picture": URL}, []),
    ],
)
def test_files_inside_of_objects_are_found(
    kind: dict[str, Any], value: Any, paths: list[tuple[str | int, ...]]
) -> None:
    """Fields, items, values of dicts and classes that hold their own kind."""
    assert schema(kind, Box=BOX, Tree=TREE).check({"x": value}) == [FilePlace(path, URL) for path in paths]
    assert schema(kind, Box=BOX, Tree=TREE).has_files is (kind != {"type": "object"})


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        ({"picture": "/etc/passwd"}, ("picture",)),
        ({"picture": URL, "size": "big"}, ("size",)),
        ({}, ("picture",)),
        ({"picture": {FILE_KEY: {"path": "/etc/passwd"}}}, ("picture",)),
        ({"picture": URL, "other": {FILE_KEY: {"path": "/etc/passwd"}}}, ("other",)),
        ({"picture": URL, "sise": 1}, ("sise",)),
        ({FILE_KEY: {"path": "/etc/passwd"}}, ()),
        ("text", ()),
    ],
)
def test_what_does_not_fit_is_told_where_it_is(value: Any, loc: tuple[str, ...]) -> None:
    """A path of ours, the protocol's own marker, wrong and missing fields are refused by name."""
    with pytest.raises(InputInvalidError) as refused:
        schema(BOX).check({"x": value})
    assert [problem.loc for problem in refused.value.problems] == [("body", "input", "x", *loc)]


def test_a_schema_that_names_itself_or_others_a_million_times_is_compiled() -> None:
    """A list of lists of itself, and thirty levels that each name the next twice."""
    levels: dict[str, Any] = {
        f"L{n}": {
            "anyOf": [{"$ref": f"#/components/schemas/L{n + 1}"}, {"$ref": f"#/components/schemas/L{n + 1}"}]
        }
        for n in range(30)
    }
    levels["L30"] = {"type": "string"}
    levels["Self"] = {"type": "array", "items": {"$ref": "#/components/schemas/Self"}}
    schema({"$ref": "#/components/schemas/L0"}, **levels).check({"x": "fits"})
    lists = schema({"$ref": "#/components/schemas/Self"}, **levels)
    lists.check({"x": [[], [[]]]})
    with pytest.raises(InputInvalidError):
        lists.check({"x": [[], [1]]})
