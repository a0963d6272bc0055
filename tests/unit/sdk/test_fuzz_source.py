# ruff: noqa: PT017 - either end is good
"""The reader of source files under damaged and odd sources: a signature, or a SchemaError that says where."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from cog.errors import SchemaError
from cog.schema import openapi, read_source
from cog_server.validation import InputSchema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

# What the compiler warns of is the author's own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::SyntaxWarning", "ignore::DeprecationWarning"
)

SOURCE = """\
import enum
from typing import Iterator, Literal, Optional, Union
from cog import BasePredictor, ConcatenateIterator, Input, Path, Secret

NAMES = {"a": 1, "b": 2}

class Color(enum.Enum):
    RED = "red"
    BLUE = NAMES["a"] and "blue"

class Base(BasePredictor):
    def setup(self, weights: Optional[Path] = None) -> None:
        pass

class Predictor(Base):
    def predict(
        self,
        text: str = Input(description="What", default="a", regex="^a", max_length=3),
        scale: float = Input(ge=0, le=10, default=1.5),
        color: Color = Color.RED,
        seed: Optional[int] = None,
        name: str = Input(choices=list(NAMES.keys()) + ["c"]),
        file: Union[str, Path] = "x",
        key: Secret = None,
        size: Literal[1, 2] = 1,
        many: list[dict[str, list[int]]] = [],
    ) -> Iterator[str]:
        yield text
"""
LINES = SOURCE.splitlines(keepends=True)
ODD = st.sampled_from(
    [
        "(",
        ")",
        ":",
        "\\",
        "'''",
        "\t",
        "\x00",
        "\ufeff",
        "lambda: 0",
        "=",
        "...",
        "*",
        "**k",
        "@x\n",
        "Color = Color\n",
        "NAMES = NAMES\n",
        "class Predictor(Predictor): pass\n",
        "def f(): return f()\n",
        "x" * 300,
        "1" * 5000,
        "[" * 300,
        "-" * 3000,
        "é",
        "\ud800",
        "None",
        "NAMES",
        "Input(default=Input())",
        "2 ** 10 ** 9",
        "'a' * 10 ** 10",
        "list[list[list]]",
        "from x import *\n",
        "Union[()]",
        "Literal[()]",
        "Optional[None]",
    ]
)
numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for sources."""
    return tmp_path_factory.mktemp("sources")


def is_read(folder: Path, source: str) -> None:
    """Read a source, and compile what its document says if it has one."""
    file = folder / f"p{next(numbers)}.py"
    file.write_bytes(source.encode("utf-8", "surrogatepass"))
    try:
        document = openapi(read_source(folder, f"{file.name}:Predictor"))
    except SchemaError as error:
        assert str(error)
        return
    finally:
        file.unlink()
    InputSchema.compile(document)


@settings(max_examples=examples(120), deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SOURCE)), st.integers(0, 6), ODD | st.text(max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_source_is_read_or_refused(folder: Path, edits: list[tuple[int, int, str]]) -> None:
    """A typing mistake anywhere is told as one; it never ends the build with a traceback."""
    source = SOURCE
    for at, away, put in edits:
        source = source[:at] + put + source[at + away :]
    is_read(folder, source)


@settings(max_examples=examples(60), deadline=None)
@given(order=st.lists(st.integers(0, len(LINES) - 1), max_size=len(LINES) + 5))
def test_lines_in_any_order_are_read_or_refused(folder: Path, order: list[int]) -> None:
    """Nor does a source in which names are used before, without or inside their definitions."""
    is_read(folder, "".join(LINES[number] for number in order))
