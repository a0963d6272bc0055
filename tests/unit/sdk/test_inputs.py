"""JSON inputs become the Python values the author's annotations promise."""

from __future__ import annotations

import enum
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path as OsPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import cog
import pytest
from cog import BaseModel, Coder, File, Input, Path, Secret
from cog.coerce import Arguments
from cog.errors import InputError
from cog.schema import read_object
from hypothesis import given, settings
from hypothesis import strategies as st


class Style(str, enum.Enum):  # noqa: UP042 - what authors write, on Python 3.10 as well
    """An Enum of texts."""

    PLAIN = "plain"
    FANCY = "fancy"


class Level(enum.IntEnum):
    """An Enum of numbers."""

    LOW = 1
    HIGH = 2


@dataclass
class Box:
    """A dataclass with a default."""

    x: float
    labels: list[str] = field(default_factory=list)


class Options(TypedDict, total=False):
    """A TypedDict."""

    picture: Path


class Point(NamedTuple):
    """A named tuple."""

    x: float
    y: float = 0.0


class Wrapped(BaseModel):
    """A BaseModel around another record."""

    box: Box
    note: str = "none"


def one(annotation: Any, value: Any) -> Any:
    """Return what a value becomes for a parameter of this annotation."""

    def predict(**_: Any) -> None:
        """Stand in for a predictor."""

    def made(x: Any) -> None:
        """Stand in for a predictor with one input."""

    made.__annotations__ = {"x": annotation, "return": None}
    return Arguments(read_object(made))({"x": value})["x"]


def marker(path: OsPath) -> dict[str, Any]:
    """Return a file as the server sends it."""
    return {"$cog.file": {"path": str(path), "name": path.name}}


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str, "a", "a"),
        (int, 3, 3),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (float, 0.1, 0.1),
        (bool, True, True),
        (dict, {"a": 1}, {"a": 1}),
        (Any, [1, {"a": None}], [1, {"a": None}]),
        (Any, {"$cog.file": {"path": "/etc/passwd", "name": "x"}}, {"$cog.file": {"path": "/etc/passwd", "name": "x"}}),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[str], ["a", "b"], {"a", "b"}),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (float | None, None, None),
        (float | None, 1, 1.0),
        (Literal["a", 1], 1, 1),
        (Style, "fancy", Style.FANCY),
        (Level, 2, Level.HIGH),
        (list[Style], ["plain"], [Style.PLAIN]),
        (Box, {"x": 1}, Box(1.0)),
        (Point, {"x": 1, "y": 2}, Point(1.0, 2.0)),
        (list[Box], [{"x": 1, "labels": ["a"]}], [Box(1.0, ["a"])]),
        (Wrapped, {"box": {"x": 2}}, Wrapped(box=Box(2.0))),
        (int | str, "a", "a"),
        (int | str, 1, 1),
        (str | list[float], [1], [1.0]),
        (Annotated[int, "of apples"], 1, 1),
        (Annotated[OsPath, cog.Opaque], {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_a_value_becomes_what_its_annotation_says(annotation: Any, value: Any, expected: Any) -> None:
    """Every type gives the value and the class that the author wrote."""
    found = one(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


def test_files_become_paths_files_and_parts_of_records(tmp_path: OsPath) -> None:
    """A file marker becomes a Path or an open file wherever a file is declared."""
    file = tmp_path / "a.txt"
    file.write_text("content")
    path = one(Path, marker(file))
    assert isinstance(path, Path)
    assert path.read_text() == "content"
    assert isinstance(one(list[Path], [marker(file)])[0], Path)
    assert isinstance(one(Path | None, marker(file)), Path)
    assert isinstance(one(str | Path, marker(file)), Path)
    assert one(str | Path, "text") == "text"
    assert one(Options, {"picture": marker(file)})["picture"].read_text() == "content"
    with one(File, marker(file)) as opened:
        assert opened.read() == b"content"


def test_a_secret_does_not_show_itself() -> None:
    """A secret arrives as Secret; printing it shows stars."""
    found = one(Secret, "s3cret")
    assert found.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{found} {found!r}"


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (int, "3", "'3' is not a whole number"),
        (int, 3.5, "3.5 is not a whole number"),
        (int, True, "True is not a whole number"),
        (float, "1", "'1' is not a number"),
        (float, None, "None is not a number"),
        (Style, "neither", "'neither' is not one of 'plain', 'fancy'"),
        (Level, True, "True is not one of 1, 2"),
        (list[float], 1, "a list was expected"),
        (dict[str, float], [], "an object was expected"),
        (Path, "/etc/passwd", "a file was expected"),
        (Path, {"path": "/etc/passwd"}, "a file was expected"),
        (list[Path], ["/etc/passwd"], "a file was expected"),
        (Box, [], "an object was expected"),
        (Box, {}, "Box needs the field 'x'"),
        (Box, {"x": 1, "z": 2}, "Box has no field 'z'"),
        (int | bool, "a", "'a' is none of bool | int"),
        (int | Path, "/etc/passwd", "'/etc/passwd' is none of int | Path"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(annotation: Any, value: Any, problem: str) -> None:
    """A value of another type is refused, with the input's name and the value."""
    with pytest.raises(InputError) as caught:
        one(annotation, value)
    assert caught.value.name == "x"
    assert caught.value.problem == problem


def arguments(function: Any) -> Arguments:
    """Prepare a function."""
    return Arguments(read_object(function))


def test_defaults_stand_in_as_python_values() -> None:
    """A missing input gets its default as the annotated type; None stays None."""

    def predict(
        style: Style = Style.FANCY,
        text_style: Style = Input(default="plain"),  # noqa: B008 - what authors write
        factor: float = 2,
        seed: int = Input(default=None),
        note: str | None = None,
    ) -> str:
        return ""

    found = arguments(predict)({})
    assert found == {
        "style": Style.FANCY,
        "text_style": Style.PLAIN,
        "factor": 2.0,
        "seed": None,
        "note": None,
    }
    assert type(found["text_style"]) is Style
    assert type(found["factor"]) is float


def test_a_default_list_is_fresh_for_every_prediction() -> None:
    """A predictor that changes its default does not change the next prediction's."""

    def predict(names: list[str] = Input(default=["a"])) -> str:  # noqa: B008 - what authors write
        return ""

    prepared = arguments(predict)
    prepared({})["names"].append("b")
    assert prepared({}) == {"names": ["a"]}


def test_a_default_path_is_the_authors_own_file(tmp_path: OsPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default Path names a file of the project."""
    (tmp_path / "sample.txt").write_text("sample")
    monkeypatch.chdir(tmp_path)

    def predict(image: Path = Input(default="sample.txt")) -> str:  # noqa: B008 - what authors write
        return ""

    assert arguments(predict)({})["image"].read_text() == "sample"


def test_an_explicit_null_is_accepted_where_the_input_is_optional() -> None:
    """Null for an optional input is None, also where None is only the default."""

    def predict(seed: int = Input(default=None), count: int = 1) -> str:
        return ""

    assert arguments(predict)({"seed": None})["seed"] is None
    with pytest.raises(InputError, match="'count'"):
        arguments(predict)({"count": None})


def test_missing_and_unknown_inputs_are_named() -> None:
    """The caller learns which input is missing, or which names there are."""

    def predict(text: str) -> str:
        return ""

    with pytest.raises(InputError, match="input 'text': is required"):
        arguments(predict)({})
    with pytest.raises(InputError, match="input 'txet': is not one of text"):
        arguments(predict)({"text": "a", "txet": "b"})


def test_a_coder_gives_a_type_of_ones_own() -> None:
    """A registered Coder reads the type it knows."""

    class Complex:
        def __init__(self, value: complex) -> None:
            self.value = value

    class ComplexCoder(Coder):
        @staticmethod
        def factory(kind: Any) -> Coder | None:
            return ComplexCoder() if kind is Complex else None

        def encode(self, value: Any) -> dict[str, Any]:
            return {"re": value.value.real, "im": value.value.imag}

        def decode(self, value: dict[str, Any]) -> Any:
            return Complex(complex(value["re"], value["im"]))

    Coder.register(ComplexCoder)
    try:
        assert one(Complex, {"re": 1, "im": 2}).value == 1 + 2j
    finally:
        Coder.factories.remove(ComplexCoder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = [
    int,
    float,
    str,
    bool,
    Path,
    Secret,
    Style,
    list[int],
    dict[str, float],
    Box,
    Options,
    int | list[str],
    int | None,
]


@settings(deadline=None)
@given(st.sampled_from(KINDS), JSON)
def test_any_json_is_taken_or_refused(kind: Any, value: Any) -> None:
    """Whatever a caller sends, the answer is a value or an InputError, never another exception."""
    try:
        one(kind, value)
    except InputError:
        return


@pytest.mark.parametrize(
    ("module", "name", "maker"), [("numpy", "ndarray", "asarray"), ("torch", "Tensor", "tensor")]
)
def test_an_array_arrives_as_one(monkeypatch: pytest.MonkeyPatch, module: str, name: str, maker: str) -> None:
    """The package makes it, and is not imported for a model that does not name it."""
    made = types.ModuleType(module)
    kind = type(name, (list,), {"__module__": module})
    setattr(made, name, kind)
    setattr(made, maker, kind)
    monkeypatch.setitem(sys.modules, module, made)

    def predict(x: Any = Input(default=[[1]])) -> str:  # noqa: B008 - the author's way
        return str(x)

    predict.__annotations__["x"] = kind
    arguments = Arguments(read_object(predict))
    for sent, expected in (({"x": [[1, 2]]}, [[1, 2]]), ({}, [[1]])):
        value = arguments(sent)["x"]
        assert type(value) is kind
        assert value == expected
