"""Whatever an author writes, both readers say the same: the same signature, or the same reason why there is none."""

from __future__ import annotations

import itertools
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, get_type_hints

from cog.errors import SchemaError
from cog.schema import openapi, read_object, read_source
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import examples

HEAD = """\
import datetime, enum, pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from uuid import UUID
from typing import *
from cog import *

NUMBERS = [1, 2, 3]
NAMES = {"a": 1, "b": 2}
Alias = Literal["x", "y"]
Id = NewType("Id", int)

class Color(str, Enum):
    RED = "red"
    BLUE = "blue"

class Size(IntEnum):
    S = enum.auto()
    M = enum.auto()

@dataclass
class Box:
    x: int
    y: Optional[float] = None

class Doc(BaseModel):
    title: str
    note: Optional[str]
    boxes: list[Box] = []

class Extra(TypedDict, total=False):
    a: int
    doc: Doc
"""
#: Python 3.10 leaves a text inside of list[…] unevaluated, which the reader of objects refuses.
QUOTED = ["'str'"] if sys.version_info >= (3, 11) else []
LEAVES = st.sampled_from(
    ["str", "int", "float", "bool", "Path", "File", "Secret", "Any", "dict", "list", "Color", "Size", "Box", "Doc",
     "Extra", "Alias", "Id", "pathlib.Path", "None",
     "Literal['a', 2]", "Literal[True, None]", "List", "object", "datetime.datetime", "datetime.date", "UUID",
     *QUOTED]
)  # fmt: skip


def wrap(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return annotations around others."""
    one = st.sampled_from(
        ["Optional[{}]", "list[{}]", "List[{}]", "dict[str, {}]", "Dict[str, {}]", "set[{}]", "Sequence[{}]",
         "tuple[{}, ...]", "Iterator[{}]", "{} | None"]
    )  # fmt: skip
    two = st.sampled_from(
        ["Union[{}, {}]", "{} or {}", "tuple[{}, {}]", "Tuple[{}, {}]", "{} | {}", "dict[{}, {}]"]
    )
    return st.builds(str.format, one, inner) | st.builds(str.format, two, inner, inner)


PLAIN = st.recursive(LEAVES, wrap, max_leaves=4)
# Only outermost: Python takes List[list] and Annotated[list, "x"] for equal, and drops one of them from a union.
ANNOTATIONS = PLAIN | st.builds(
    str.format, st.sampled_from(["Annotated[{}, 'x']", "Annotated[{}, Opaque]"]), PLAIN
)
VALUES = st.sampled_from(
    ["None", "1", "0", "-3", "2.5", "'a'", "'red'", "''", "True", "[]", "[1, 2]", "['a']", "{}", "{'a': 1}", "(1, 'a')",
     "{'b', 'a'}", "Color.RED", "Color.BLUE.value", "Size.M", "NUMBERS", "NUMBERS[-1]", "list(NAMES)", "NAMES['b']",
     "2 ** 10", "'a' + 'b'", "f'{1 + 1}x'", "float('nan')", "...", "[n * 2 for n in NUMBERS if n > 1]", "Path('a.png')",
     "sorted(NAMES, reverse=True)", "tuple(NAMES.values())", "[c.value for c in Color]", "[*NUMBERS, 4]", "-NUMBERS[0]",
     "'2026-11-26'"]
)  # fmt: skip
SAID = st.dictionaries(
    st.sampled_from(["default", "ge", "le", "min_length", "max_length", "regex", "choices", "description", "accept"]),
    VALUES,
    max_size=3,
)  # fmt: skip
DEFAULTS = (
    st.none() | VALUES | SAID.map(lambda said: f"Input({', '.join(f'{k}={v}' for k, v in said.items())})")
)
RETURNS = ANNOTATIONS | st.sampled_from(
    ["Iterator[str]", "ConcatenateIterator[str]", "Generator[Path, None, None]", "AsyncIterator[int]"]
)
numbers = itertools.count()


def read(function: Any) -> tuple[Any, str | None]:
    """Return what a reader found, and what it complained of."""
    try:
        return function(), None
    except SchemaError as error:
        return None, error.problem.replace("typing.", "").replace("collections.abc.", "")


@settings(max_examples=examples(200), deadline=None)
@given(ANNOTATIONS, DEFAULTS, RETURNS, st.booleans())
def test_both_readers_agree_on_any_signature(
    annotation: str, default: str | None, returns: str, late: bool
) -> None:
    """Signatures put together at random are read alike, or refused alike."""
    equals = "" if default is None else f" = {default}"
    future = "from __future__ import annotations\n" if late else ""
    source = f"{future}{HEAD}\ndef predict(x: {annotation}{equals}) -> {returns}: ...\n"
    names: dict[str, Any] = {"__name__": f"written_{next(numbers)}"}
    module = types.ModuleType(names["__name__"])
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "predict.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - put together above
        get_type_hints(module.predict)
    except TypeError:
        del sys.modules[module.__name__]
        return  # Python itself refuses it, such as `None | None`
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "predict.py").write_text(source)
        from_source = read(lambda: read_source(folder, "predict.py:predict"))
    from_object = read(lambda: read_object(module.predict))
    del sys.modules[module.__name__]
    assert (from_source[0] is None) == (from_object[0] is None), (
        source[len(HEAD) :],
        from_source,
        from_object,
    )
    if from_source[0] is not None:
        assert from_source[0] == from_object[0]
        assert openapi(from_source[0]) == openapi(from_object[0])


def test_a_project_s_cog_py_is_not_the_sdk(tmp_path: Path) -> None:
    """Both readers know `cog` as the SDK, whatever the project calls its files."""
    (tmp_path / "cog.py").write_text("Path = Input = str\n")
    (tmp_path / "predict.py").write_text(
        "from cog import Input, Path\ndef predict(a: Path, n: int = Input(default=1, le=3)) -> str:\n    return ''\n"
    )
    assert [one.le for one in read_source(tmp_path, "predict.py:predict").parameters] == [None, 3]
