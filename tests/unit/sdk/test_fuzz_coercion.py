# ruff: noqa: UP007, UP045, PT017 - annotations as authors write them
"""Inputs: what the schema lets through, the worker can take, for any type and any JSON."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import json
import math
import uuid
from pathlib import Path as OsPath
from typing import Any, Literal, Optional, TypedDict, Union

import cog
import pytest
from cog.coerce.inputs import FILE, Arguments
from cog.errors import InputError
from cog.schema import openapi, read_object
from cog_server.errors import InputInvalidError
from cog_server.validation import InputSchema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples


class Color(enum.Enum):
    """Choices by name."""

    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    """Choices by number."""

    S = 1
    M = 2


@dataclasses.dataclass
class Point:
    """A record with a default."""

    x: float
    y: float = 0.0
    name: Optional[str] = None


class Box(TypedDict):
    """A record that is a dict."""

    corner: list[int]
    label: str


TYPES: list[Any] = [
    str,
    int,
    float,
    bool,
    dict,
    Any,
    list[int],
    list[str],
    list[list[float]],
    dict[str, int],
    dict[str, list[bool]],
    Optional[int],
    Optional[str],
    Optional[list[int]],
    Union[int, str],
    Union[float, list[float]],
    Union[bool, int, None],
    Literal["a", "b"],
    Literal[1, 2, 3],
    Color,
    Size,
    Point,
    list[Point],
    Box,
    tuple[int, str],
    tuple[int, ...],
    tuple[str, int],
    tuple[cog.Path, str],
    tuple[()],
    list[tuple[float, bool]],
    dt.datetime,
    dt.date,
    dt.time,
    uuid.UUID,
    Optional[dt.datetime],
    list[dt.date],
    Union[dt.datetime, int],
    Union[dt.date, str],
    set[str],
    cog.Secret,
    cog.Path,
    Optional[cog.Path],
    list[cog.Path],
    Union[str, cog.Path],
    Union[Point, Box],
    Union[list[int], Point],
    Union[Size, str],
    Union[Literal["a"], int],
    Optional[Color],
    dict[str, Point],
    list[Color],
    list[dict[str, int]],
]
MOMENTS = [
    "2026-11-26",
    "2026-02-30",
    "2026-11-26T15:04",
    "2026-11-26t15:04:05.1234567z",
    "2026-11-26 15:04:05+25:00",
    "15:04:05.5",
    "24:00",
    "123E4567-e89b-12d3-a456-426614174000",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "red", "", "1", "x", "data:text/plain;base64,eA==", *MOMENTS])
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["x", "y", "name", "corner", "label"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def function(kinds: list[Any]) -> Any:
    """Return a predict function with a parameter of each type."""

    def predict(**_: Any) -> str:
        return ""

    import inspect

    names = [f"p{number}" for number in range(len(kinds))]
    predict.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
            for name, kind in zip(names, kinds, strict=True)
        ],
        return_annotation=str,
    )
    predict.__annotations__ = {**dict(zip(names, kinds, strict=True)), "return": str}
    return predict


def as_the_server_sends(value: Any, places: list[Any], folder: OsPath) -> Any:
    """Put files in the places the server found, as `prepare` does."""
    value = json.loads(json.dumps(value))
    for number, place in enumerate(places):
        tree = value
        for key in place.path[:-1]:
            tree = tree[key]
        path = folder / f"{number}.txt"
        path.write_bytes(base64.b64decode("eA=="))
        tree[place.path[-1]] = {FILE: {"path": str(path), "name": path.name}}
    return value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> OsPath:
    """Return a folder for input files."""
    return tmp_path_factory.mktemp("files")


@settings(max_examples=examples(1500), deadline=None)
@given(kind=st.sampled_from(TYPES), value=JSON)
def test_what_the_schema_accepts_the_worker_takes(folder: OsPath, kind: Any, value: Any) -> None:
    """The two checks of an input agree: a caller is told 422 at the door, never a failed prediction for its type."""
    signature = read_object(function([kind]))
    schema = InputSchema.compile(json.loads(json.dumps(openapi(signature))))
    given_input = {"p0": value}
    try:
        places = schema.check(given_input)
    except InputInvalidError:
        return
    arguments = Arguments(signature)(as_the_server_sends(given_input, places, folder))
    assert set(arguments) == {"p0"}
    if kind in (int, float, bool, str):
        found = arguments["p0"]
        assert type(found) is kind or (kind is float and isinstance(found, float))
        if kind in (int, float):
            assert found == value or math.isclose(found, value)


@settings(max_examples=examples(400), deadline=None)
@given(kind=st.sampled_from(TYPES), value=JSON)
def test_any_json_is_an_argument_or_a_named_refusal(kind: Any, value: Any) -> None:
    """Whatever reaches a worker, even past the server's check, is taken or refused by the input's name."""
    convert = Arguments(read_object(function([kind])))
    try:
        convert({"p0": value})
    except InputError as error:
        assert "p0" in str(error)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(-(2**80), 2**80), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact(whole: int, real: float) -> None:
    """Neither large integers nor the last digit of a float is lost on the way in."""
    convert = Arguments(read_object(function([int, float])))
    found = convert(json.loads(json.dumps({"p0": whole, "p1": real})))
    assert (found["p0"], repr(found["p1"])) == (whole, repr(real))
