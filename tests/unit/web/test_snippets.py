"""The API tab's code says what it should and nothing that a stranger slipped into a value."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from cogyard.web.snippets import (
    Call,
    LocalFile,
    curl,
    javascript,
    javascript_literal,
    python,
    python_literal,
    snippets,
)
from hypothesis import given
from hypothesis import strategies as st

VERSION = "5c7d5dc6" * 8

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def call(**changes: Any) -> Call:
    """Return a call with something changed."""
    base: dict[str, Any] = {
        "base": "http://here:8080",
        "model": "ada/upscale",
        "version": VERSION,
        "input": {"text": "it's", "image": LocalFile(name="in.png")},
    }
    return Call(**{**base, **changes})


@given(value=values)
def test_a_python_literal_is_the_value(value: Any) -> None:
    """Python reads the value that was written."""
    assert ast.literal_eval(python_literal(value)) == value


@given(value=values)
def test_a_javascript_literal_is_one_line_or_ends_its_strings(value: Any) -> None:
    """No string of a value ends the literal that holds it: every line break inside one is escaped."""
    text = javascript_literal(value)
    assert "\u2028" not in text
    assert "\u2029" not in text


def test_python_code_compiles_and_names_this_host() -> None:
    """The Python example is a program that calls this platform with this version."""
    code = python(call())
    compile(code, "example", "exec")
    assert '"http://here:8080"' in code
    assert f'"ada/upscale:{VERSION}"' in code
    assert 'open("in.png", "rb")' in code


def test_a_streaming_model_is_streamed() -> None:
    """Text that grows is printed as it comes, in both languages."""
    assert "client.stream(" in python(call(streams=True))
    assert "replicate.stream(" in javascript(call(streams=True))


def test_the_javascript_address_ends_in_v1() -> None:
    """The npm client wants its base with the API's version."""
    assert '"http://here:8080/v1"' in javascript(call())


def test_curl_waits_and_says_who_asks() -> None:
    """The command carries the token from the environment, never a token itself."""
    code = curl(call())
    assert "Bearer $REPLICATE_API_TOKEN" in code
    assert "Prefer: wait" in code
    assert f'"version": "{VERSION}"' in code


@pytest.mark.parametrize("name", ["__proto__", "a-b", "1x", "a b", "naïve"])
def test_odd_field_names_are_quoted_in_javascript(name: str) -> None:
    """A field's name cannot be more than a name."""
    assert f"[{json.dumps(name)}]" in javascript_literal({name: 1})


def test_there_are_three_languages() -> None:
    """Python, JavaScript and curl, in this order."""
    assert [each.language for each in snippets(call())] == ["python", "javascript", "shell"]


def test_a_deployment_is_asked_by_its_name() -> None:
    """The examples of a deployment name it and no version: a release may change that."""
    asked = call(deployment="ada/front", streams=True, makes_file=True)
    for each in snippets(asked):
        assert "ada/front" in each.code or '"ada", "front"' in each.code
        assert VERSION not in each.code
    compile(python(asked), "example", "exec")
    assert "client.deployments.predictions.create(" in python(asked)
    assert "replicate.wait(prediction)" in javascript(asked)
    assert "/v1/deployments/ada/front/predictions" in curl(asked)


def test_a_training_names_its_destination() -> None:
    """The examples of a training say which version is trained, and for which model."""
    asked = call(destination="ada/mine")
    for each in snippets(asked):
        assert '"ada/mine"' in each.code
        assert VERSION in each.code
    compile(python(asked), "example", "exec")
    assert "client.trainings.create(" in python(asked)
    assert f"/v1/models/ada/upscale/versions/{VERSION}/trainings" in curl(asked)
    assert "Prefer: wait" not in curl(asked)
