"""Whether an output is what the model's schema promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cog_server.outputs import OutputFile
from cogyard.cli.promised import departures

FILE = OutputFile(path=Path("a.png"), name="a.png", media_type="image/png")
RECORD = {
    "type": "object",
    "properties": {"caption": {"type": "string"}, "score": {"type": "number"}},
    "required": ["caption", "score"],
}


def told(value: Any, schema: Any, component: str = "Output") -> list[str]:
    """Return what is said of an output that was promised as `schema`."""
    document = {"components": {"schemas": {component: schema}}}
    return departures(value, document, training=component == "TrainingOutput")


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (7, {"type": "integer"}),
        ("text", {"type": "string"}),
        (FILE, {"type": "string", "format": "uri"}),
        ([FILE, FILE], {"type": "array", "items": {"type": "string", "format": "uri"}}),
        ({"caption": "a", "score": 0.5}, RECORD),
        ([0.5, None], {"type": "array", "items": {"type": "number"}}),
        ({"anything": [1]}, {}),
    ],
)
def test_nothing_is_said_of_a_promise_that_is_kept(value: Any, schema: Any) -> None:
    """Files stand for their addresses, and a number that is none is null in JSON."""
    assert told(value, schema) == []


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        ("seven", {"type": "integer"}, ['must be an integer, got a string ("seven")']),
        (7, {"type": "string"}, ["must be a string, got an integer (7)"]),
        (
            ["a", 1],
            {"type": "array", "items": {"type": "string"}},
            ["1: must be a string, got an integer (1)"],
        ),
        ({"caption": "a"}, RECORD, ["score: Field required"]),
    ],
)
def test_what_departs_is_named_with_its_place(value: Any, schema: Any, said: list[str]) -> None:
    """The author sees which part, what it is, and what was promised."""
    assert told(value, schema) == said
    assert told(value, schema, "TrainingOutput") == said


def test_a_model_without_a_schema_promises_nothing() -> None:
    """Nor does one whose document does not tell of outputs."""
    assert departures("x", {}) == []
