"""The page about a model that its server shows."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from cog_server.docs_page import page
from cog_server.validation import InputSchema

SPEC = Path(__file__).parents[3] / "spec" / "schema"


@pytest.mark.parametrize("path", sorted(SPEC.glob("*/openapi.json")), ids=lambda path: path.parent.name)
def test_every_input_is_named_and_the_call_fits(path: Path) -> None:
    """For every sample of the contract the call that is shown has all that is required."""
    document = json.loads(path.read_text())
    text = page(document).decode()
    inputs = document["components"]["schemas"]["Input"]
    assert all(f"<code>{name}</code>" in text for name in inputs["properties"])
    shown = re.search("<pre>(.*)</pre>", text, re.DOTALL)
    assert shown is not None
    body = json.loads(shlex.split(unescape(shown[1]))[-1])
    assert set(body["input"]) == set(inputs.get("required", ()))


def test_the_call_that_is_shown_is_taken() -> None:
    """Choices and bounds are kept, so that the first copy works."""
    properties = {
        "a": {"type": "integer", "minimum": 3},
        "b": {"allOf": [{"$ref": "#/components/schemas/b"}]},
        "c": {"type": "string", "format": "uri"},
    }
    schemas = {
        "Input": {"type": "object", "properties": properties, "required": ["a", "b", "c"]},
        "b": {"type": "string", "enum": ["x", "y"]},
    }
    document = {"components": {"schemas": schemas}}
    shown = re.search("<pre>(.*)</pre>", page(document).decode())
    assert shown is not None
    sample = json.loads(shlex.split(unescape(shown[1]))[-1])["input"]
    assert sample == {"a": 3, "b": "x", "c": "https://example.com/file"}
    assert InputSchema.compile(document).check(sample)


def test_what_an_author_writes_is_text(tmp_path: Path) -> None:
    """Names and descriptions cannot put anything into the page."""
    evil = "<script>alert(1)</script>'&"
    schema: dict[str, Any] = {"type": "string", "description": evil, "default": evil}
    schemas = {"Input": {"properties": {evil: schema}, "required": [evil]}}
    text = page({"components": {"schemas": schemas}}).decode()
    assert "<script" not in text
    assert "no description yet" in page(None).decode()
