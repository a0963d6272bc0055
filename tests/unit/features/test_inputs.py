"""Inputs are checked with the model's own rules, whatever its document looks like."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cogyard.domain.values import Version
from cogyard.features.predictions.inputs import REMEMBERED, Inputs
from cogyard.http.errors import InvalidError
from cogyard.testing.api import ECHO_SCHEMA


def _version(schema: Any, id: str = "a") -> Version:
    return Version(
        id=id,
        model="ann/m",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        cog_version="",
        openapi_schema=schema,
    )


def _input(**properties: Any) -> Any:
    return {"components": {"schemas": {"Input": {"type": "object", "properties": properties}}}}


def test_every_problem_is_named() -> None:
    """With the field it is about."""
    with pytest.raises(InvalidError) as caught:
        Inputs().check(_version(ECHO_SCHEMA), {"times": "x", "other": 1})
    assert {field for field, _ in caught.value.problems} == {"input.text", "input.times", "input.other"}


def test_secrets_are_found() -> None:
    """Only those that are given."""
    assert Inputs().check(_version(ECHO_SCHEMA), {"text": "x", "key": "s"}) == ("key",)
    assert Inputs().check(_version(ECHO_SCHEMA), {"text": "x"}) == ()


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"components": None},
        {"components": {"schemas": {"Input": []}}},
        {
            "components": {
                "schemas": {"Input": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}, "A": 1}
            }
        },
        {
            "components": {
                "schemas": {
                    "Input": {"properties": {"a": {"$ref": "#/components/schemas/A"}}},
                    "A": {"type": "array", "items": {"$ref": "#/components/schemas/A"}},
                }
            }
        },
        _input(a={"type": "integer", "minimum": "x"}),
        _input(a=None),
    ],
)
def test_a_strangers_document_breaks_nothing(schema: Any) -> None:
    """What cannot be read checks nothing: the model itself will."""
    inputs = Inputs()
    try:
        inputs.check(_version(schema), {"a": 1})
    except InvalidError:
        return


def test_an_authors_pattern_is_not_run_here() -> None:
    """It could run for ever on the right input; the model checks it where only it is stopped."""
    schema = _input(a={"type": "string", "pattern": "^(a+)+$"}, pattern={"type": "string"})
    Inputs().check(_version(schema), {"a": "a" * 40 + "!", "pattern": "x"})


def test_compiled_schemas_are_forgotten_in_turn() -> None:
    """Memory has an end however many versions there are."""
    inputs = Inputs()
    for number in range(REMEMBERED + 10):
        inputs.check(_version(ECHO_SCHEMA, id=str(number)), {"text": "x"})
    assert len(inputs._compiled) == REMEMBERED
