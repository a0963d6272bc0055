"""A predictor's output becomes JSON, and its files markers to copies that stay as they are."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import io
import json
import sys
import tempfile
import types
import uuid
from dataclasses import dataclass
from pathlib import Path as OsPath
from typing import Any, NamedTuple

import pytest
from cog import BaseModel, Path, Secret
from cog.coerce import Encoder
from cog.errors import OutputError
from cog.schema import types as t
from hypothesis import given, settings
from hypothesis import strategies as st


class Style(str, enum.Enum):  # noqa: UP042 - what authors write, on Python 3.10 as well
    """An Enum of texts."""

    PLAIN = "plain"


class Plain(enum.Enum):
    """An Enum that is no text itself."""

    A = "a"


@dataclass
class Box:
    """A dataclass."""

    x: int
    when: dt.date


class Point(NamedTuple):
    """A named tuple."""

    x: int


class Result(BaseModel):
    """A BaseModel with a record in it."""

    box: Box
    note: str | None = None


class Array:
    """What numpy's and torch's arrays have in common."""

    def tolist(self) -> list[float]:
        """Return the values."""
        return [1.0, 2.0]


class Tensor(Array):
    """What only torch's have."""

    def detach(self) -> Tensor:
        """Return it without its history."""
        return self

    def cpu(self) -> Array:
        """Return it in memory."""
        return Array()


class Pydantic:
    """What pydantic's models have."""

    def model_dump(self) -> dict[str, Any]:
        """Return the fields."""
        return {"a": Plain.A}


def encoded(value: Any, folder: OsPath | str = "/nowhere", kind: t.Type | None = None) -> Any:
    """Return what is sent for a value."""
    return json.loads(Encoder(kind).encode(value, str(folder))[0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("é 你 \U0001f600", "é 你 \U0001f600"),
        (None, None),
        ({"a": [1, 2.5, None, True]}, {"a": [1, 2.5, None, True]}),
        ((1, 2), [1, 2]),
        (Style.PLAIN, "plain"),
        (Plain.A, "a"),
        ({1, 2}, [1, 2]),
        (range(3), [0, 1, 2]),
        ((i for i in (1, 2)), [1, 2]),
        (collections.deque([1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        (Box(1, dt.date(2026, 11, 22)), {"x": 1, "when": "2026-11-22"}),
        (Point(1), [1]),
        (Result(box=Box(1, dt.date(2026, 1, 2))), {"box": {"x": 1, "when": "2026-01-02"}, "note": None}),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta())), "2026-01-02T03:00:00+00:00"),
        (dt.timedelta(seconds=90), 90.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.5"), 1.5),
        (Array(), [1.0, 2.0]),
        (Tensor(), [1.0, 2.0]),
        (Pydantic(), {"a": "a"}),
        (Secret("s"), "**********"),
        (float("nan"), None),
        ({"a": [float("inf"), Plain.A, 1.5]}, {"a": [None, "a", 1.5]}),
        ("\ud800", "?"),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
    ],
    ids=lambda value: type(value).__name__,  # an id must not hold an address: xdist compares them
)
def test_values_become_json(value: Any, expected: Any) -> None:
    """Every usual type is written as a reader expects it."""
    assert encoded(value) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"raw", "bytes; write them to a file and return its Path"),
        (object(), "builtins.object"),
        ({("a", 1): 2}, "keys must be str"),
    ],
)
def test_what_json_cant_hold_is_refused_with_its_type(value: Any, problem: str) -> None:
    """A value without a JSON form is an error that says which type it was."""
    with pytest.raises(OutputError, match="predict\\(\\) returned what JSON can't hold") as caught:
        encoded(value)
    assert problem in str(caught.value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A list in itself is an error, not a crash."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(OutputError, match="contains itself"):
        encoded(value)


def test_an_integer_that_python_does_not_write_is_called_that() -> None:
    """Nobody looks for a list in itself where a number is too long."""
    with pytest.raises(OutputError, match=r"what JSON can't hold: Exceeds the limit"):
        encoded(10**5000)


def test_none_is_refused_where_a_value_was_promised() -> None:
    """A predictor that forgets to return is told so; an optional output may be None."""
    with pytest.raises(OutputError, match="returned None, but its annotation promises a value"):
        encoded(None, kind=t.STRING)
    assert encoded(None, kind=t.OptionalType(t.STRING)) is None


def test_a_file_in_the_predictions_folder_stays_where_it_is(tmp_path: OsPath) -> None:
    """What is in the folder already is neither moved nor copied."""
    file = tmp_path / "a.png"
    file.write_text("x")
    output, flags = Encoder().encode(Path(file), str(tmp_path))
    assert flags == 1
    assert json.loads(output) == {"$cog.file": {"path": str(file), "name": "a.png"}}


def test_a_temporary_file_is_moved_and_another_one_copied(
    tmp_path: OsPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the temporary folder is taken along; a file of the project stays."""
    temporary, project, folder = tmp_path / "tmp", tmp_path / "project", tmp_path / "out"
    for made in (temporary, project, folder):
        made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (temporary / "a.txt").write_text("a")
    (project / "b.txt").write_text("b")
    found = encoded([Path(temporary / "a.txt"), Path(project / "b.txt")], folder)
    assert [OsPath(item["$cog.file"]["path"]).read_text() for item in found] == ["a", "b"]
    assert not (temporary / "a.txt").exists()
    assert (project / "b.txt").exists()
    assert all(item["$cog.file"]["path"].startswith(str(folder)) for item in found)


def test_files_of_one_name_do_not_replace_each_other(tmp_path: OsPath) -> None:
    """Several outputs with one name keep it, each at its own place."""
    folder = tmp_path / "out"
    folder.mkdir()
    files = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name)
        files.append(Path(tmp_path / name / "x.txt"))
    found = [item["$cog.file"] for item in encoded(files, folder)]
    assert [item["name"] for item in found] == ["x.txt"] * 3
    assert [OsPath(item["path"]).read_text() for item in found] == ["one", "two", "three"]


def test_a_path_may_be_any_path_or_its_text_where_a_file_is_declared(tmp_path: OsPath) -> None:
    """Pathlib's own Path is a file; a text is one only where the annotation says Path; an address stays one."""
    file = tmp_path / "a.txt"
    file.write_text("x")
    assert encoded(file, tmp_path)["$cog.file"]["name"] == "a.txt"
    assert encoded(str(file), tmp_path, t.FileType())["$cog.file"]["name"] == "a.txt"
    assert encoded([str(file)], tmp_path, t.ArrayType(t.FileType()))[0]["$cog.file"]["name"] == "a.txt"
    assert encoded(str(file), tmp_path, t.STRING) == str(file)
    assert encoded("https://example.com/a", tmp_path, t.FileType()) == "https://example.com/a"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: folder / "gone", "does not exist"),
        (lambda folder: folder, "is a folder"),
    ],
)
def test_a_path_that_is_no_file_is_refused(tmp_path: OsPath, make: Any, problem: str) -> None:
    """A missing file and a folder are errors that name the path."""
    with pytest.raises(OutputError, match=problem):
        encoded(make(tmp_path), tmp_path)


def test_open_files_are_written_down(tmp_path: OsPath) -> None:
    """An open file is read from its start, closed over nothing of the author's."""
    data = io.BytesIO(b"content")
    data.read()
    found = encoded(data, tmp_path)["$cog.file"]
    assert found["name"] == "output"
    assert OsPath(found["path"]).read_bytes() == b"content"


def test_files_of_text_are_written_down(tmp_path: OsPath) -> None:
    """io.StringIO, which Cog's own guide returns as a File, is a file and no list of its lines."""
    found = encoded(io.StringIO("a\nü"), tmp_path)["$cog.file"]
    assert OsPath(found["path"]).read_text("utf-8") == "a\nü"
    with OsPath(found["path"]).open(encoding="utf-8") as file:
        again = encoded({"file": file}, tmp_path)["file"]["$cog.file"]
        assert OsPath(again["path"]).read_text("utf-8") == "a\nü"


def test_pictures_are_written_as_files(tmp_path: OsPath) -> None:
    """A Pillow image becomes a PNG, or keeps the format it was opened in."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    found = encoded(image.new("RGB", (2, 2)), tmp_path)["$cog.file"]
    assert found["name"] == "output.png"
    with image.open(found["path"]) as written:
        assert written.size == (2, 2)
    image.new("RGB", (3, 3)).save(tmp_path / "a.jpg")
    with image.open(tmp_path / "a.jpg") as opened:
        again = encoded(opened, tmp_path)["$cog.file"]
    assert again["name"] == "output.jpg"
    assert encoded(image.new("CMYK", (1, 1)), tmp_path)["$cog.file"]["path"].endswith("output.png")


def test_an_authors_dict_never_passes_for_a_file(tmp_path: OsPath) -> None:
    """The marker's key in an author's own dict is only data; next to a real file it is refused."""
    lookalike = {"$cog.file": {"path": "/etc/passwd", "name": "x"}}
    output, flags = Encoder().encode({"echo": lookalike}, str(tmp_path))
    assert flags == 0
    assert json.loads(output) == {"echo": lookalike}
    (tmp_path / "a").write_text("x")
    with pytest.raises(OutputError, match="reserved"):
        encoded({"echo": lookalike, "file": Path(tmp_path / "a")}, tmp_path)
    quoted = encoded({"text": '"$cog.file":', "file": Path(tmp_path / "a")}, tmp_path)
    assert quoted["text"] == '"$cog.file":'


def test_flags_are_of_one_value_only(tmp_path: OsPath) -> None:
    """A file in one output leaves no trace in the next."""
    (tmp_path / "a").write_text("x")
    encoder = Encoder()
    assert encoder.encode(Path(tmp_path / "a"), str(tmp_path))[1] == 1
    assert encoder.encode("x", str(tmp_path))[1] == 0


def test_packages_are_recognised_without_being_imported() -> None:
    """Encoding does not load Pillow, numpy, torch or pydantic."""
    before = set(sys.modules)
    encoded({"a": [Plain.A, Array(), Tensor(), Pydantic()]})
    assert not {"PIL", "numpy", "torch", "pydantic"} & (set(sys.modules) - before)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(JSON)
def test_json_goes_through_unchanged(value: Any) -> None:
    """What is JSON already comes out as it went in; half surrogates, which UTF-8 lacks, as question marks."""
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    assert encoded(value) == json.loads(text)
