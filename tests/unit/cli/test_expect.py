"""What counts as expected, and the sentence where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cog_server.embedded import Completed
from cog_server.outputs import OutputFile
from cogyard.cli.expect import difference, disappointments
from cogyard.project.examples import Example


def done(output: Any = None, *, status: str = "succeeded", error: str | None = None) -> Completed:
    """Return the end of a prediction."""
    return Completed(id="1", status=status, output=output, error=error, logs="", metrics={})


def example(**said: Any) -> Example:
    """Return an example."""
    return Example(name="x", line=1, expects_output="output" in said, **said)


def judged(said: Example, end: Completed, root: Path = Path()) -> list[str]:
    """Compare."""
    return disappointments(said, end, root)


@pytest.mark.parametrize(
    ("expected", "got", "tolerance"),
    [
        (1, 1.0, 0.0),
        (0.1, 0.1000001, 1e-3),
        ([1, {"a": "b"}], [1, {"a": "b"}], 0.0),
        (None, None, 0.0),
        (True, True, 0.0),
        (3_000_000_001, 3_000_000_001, 0.0),
        ([[1.0], {"x": 2}], [[1.0009], {"x": 2}], 1e-3),
    ],
)
def test_what_is_the_same(expected: Any, got: Any, tolerance: float) -> None:
    """Numbers of both kinds compare by value, everything else exactly."""
    assert difference(expected, got, tolerance) is None


@pytest.mark.parametrize(
    ("expected", "got", "sentence"),
    [
        (1, True, "output: expected 1, got true"),
        ("1", 1, 'output: expected "1", got 1'),
        (None, 0, "output: expected null, got 0"),
        ([1, 2], [1], "output: expected 2 values, got 1: [1]"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "output.a[1]: expected 2, got 3"),
        ({"a": 1}, {}, "output: `a` is missing"),
        ({}, {"b": 1}, "output: `b` was not expected"),
        (1.0, 1.1, "output: expected 1.0, got 1.1"),
    ],
)
def test_what_differs_is_named(expected: Any, got: Any, sentence: str) -> None:
    """The place and both values."""
    assert difference(expected, got, 0.0) == sentence


def test_a_failure_is_a_disappointment_unless_it_was_expected() -> None:
    """`error` turns the promise round."""
    failed = done(status="failed", error="boom 3")
    assert judged(example(), failed) == ["the prediction failed: boom 3"]
    assert judged(example(error=r"boom \d"), failed) == []
    assert "got" in judged(example(error="bang"), failed)[0]
    assert "but it succeeded" in judged(example(error="x"), done("hello"))[0]
    assert judged(example(), done("anything")) == []


def test_pieces_are_one_text() -> None:
    """What an iterator yields is compared as a reader sees it; as a list too."""
    pieces = done(["hel", "lo"])
    for said in (
        {"output": "hello"},
        {"output": ["hel", "lo"]},
        {"contains": ("ell",)},
        {"match": "^hello$"},
    ):
        assert judged(example(**said), pieces) == []
    assert judged(example(count=2), pieces) == []
    assert judged(example(count=3), pieces) == ["expected 3 values, got 2"]
    assert len(judged(example(contains=("x", "y"), match="z"), pieces)) == 3


def test_files_are_compared_by_kind_and_content(tmp_path: Path) -> None:
    """Media type, emptiness, bytes; a text output can be compared with a file too."""
    (tmp_path / "out").write_bytes(b"PNG1")
    (tmp_path / "same.png").write_bytes(b"PNG1")
    (tmp_path / "other.png").write_bytes(b"PNG22")
    end = done(OutputFile(path=tmp_path / "out", name="out.png", media_type="image/png"))
    for said in ({"file": "image/png"}, {"file": "image/*"}, {"output": "@same.png"}):
        assert judged(example(**said), end, tmp_path) == []
    assert judged(example(output="@other.png"), end, tmp_path) == [
        "the output is not @other.png: 4 bytes for 5, different from byte 3 on"
    ]
    assert "cannot be read" in judged(example(output="@nothing"), end, tmp_path)[0]
    assert judged(example(file="image/pn"), end) == ["expected a file of image/pn, got one of image/png"]
    assert judged(example(file="image/*"), done("text")) == ['expected a file of image/*, got "text"']
    (tmp_path / "out").write_bytes(b"")
    assert judged(example(file="image/*"), end) == ["the file out.png is empty"]
