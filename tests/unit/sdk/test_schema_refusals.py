"""What can't be described is refused with the place, the reason and what to write instead."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from cog.errors import SchemaError
from cog.schema import read_object, read_source
from cog.worker.load import load

HEAD = """\
import os
from enum import Enum
from typing import *
import cog
from cog import *
from cog.schema import read_source as helper
"""
#: name: (parameters, returns, what the problem says); refused by both readers, with the same words.
BOTH = {
    "no type": ("text", "str", "input 'text' of predict() has no type"),
    "no output": ("text: str", None, "predict() does not say what it returns"),
    "anything": ("*args: str", "str", "predict() takes *args"),
    "anything by name": ("**more: str", "str", "predict() takes **more"),
    "by position": ("text: str, /", "str", "predict() takes 'text' by position only"),
    "default of another type": (
        "n: int = Input(default='x')",
        "str",
        "input 'n': the default 'x' is not of type int",
    ),
    "plain default of another type": ("n: int = 'x'", "str", "input 'n': the default 'x' is not of type int"),
    "truth for a number": ("n: int = True", "str", "input 'n': the default True is not of type int"),
    "default below": (
        "n: int = Input(default=0, ge=1)",
        "str",
        "input 'n': the default 0 is below ge=1",
    ),
    "default above": ("n: int = Input(default=9, le=1)", "str", "input 'n': the default 9 is above le=1"),
    "default too short": (
        "s: str = Input(default='a', min_length=2)",
        "str",
        "input 's': the default 'a' is shorter than min_length=2",
    ),
    "default too long": (
        "s: str = Input(default='abc', max_length=2)",
        "str",
        "input 's': the default 'abc' is longer than max_length=2",
    ),
    "default unmatched": (
        "s: str = Input(default='a', regex='^b')",
        "str",
        "input 's': the default 'a' does not match regex='^b'",
    ),
    "default not a choice": (
        "s: str = Input(default='c', choices=['a', 'b'])",
        "str",
        "input 's': the default 'c' is not among the choices 'a', 'b'",
    ),
    "default not in Literal": (
        "s: Literal['a', 'b'] = 'c'",
        "str",
        "input 's': the default 'c' is not among the choices 'a', 'b'",
    ),
    "bounds of a text": (
        "s: str = Input(ge=1)",
        "str",
        "input 's': ge/le bound an int or float, not str",
    ),
    "length of a number": (
        "n: int = Input(max_length=1)",
        "str",
        "input 'n': min_length/max_length/regex are for a str, not int",
    ),
    "bounds crossed": ("n: int = Input(ge=2, le=1)", "str", "input 'n': ge=2 is above le=1, so nothing fits"),
    "choices and bounds": (
        "n: int = Input(choices=[1, 2], ge=1)",
        "str",
        "input 'n': choices and ge/le exclude each other",
    ),
    "no choices": ("n: int = Input(choices=[])", "str", "input 'n': choices is empty"),
    "choice of another type": (
        "n: int = Input(choices=[1, 'b'])",
        "str",
        "input 'n': the choice 'b' is not of type int",
    ),
    "choices of files": (
        "f: Path = Input(choices=['a'])",
        "str",
        "input 'f': choices needs a str, int or float, not Path",
    ),
    "accept of a text": (
        "s: str = Input(accept='image/png')",
        "str",
        "input 's': accept names media types for a Path or File, not str",
    ),
    "a text as bound": ("n: int = Input(ge='x')", "str", "input 'n': ge='x' has to be a number"),
    "infinite default": (
        "x: float = float('inf')",
        "str",
        "input 'x': the default inf can't be written in JSON",
    ),
    "iterator as input": ("x: Iterator[str]", "str", "input 'x': an iterator can't be an input"),
    "number keys": (
        "x: Dict[int, str]",
        "str",
        "input 'x': Dict[int, str]: the keys of a JSON object are texts",
    ),
    "iterator inside": (
        "",
        "List[Iterator[str]]",
        "output of predict(): an iterator stands inside another type in the return annotation",
    ),
    "joined numbers": (
        "",
        "ConcatenateIterator[int]",
        "output of predict(): ConcatenateIterator joins texts, not int",
    ),
    "a class the schema can't know": ("x: Strange", "str", "input 'x': Strange is no type the schema knows"),
    "a class in itself": ("x: Node", "str", "input 'x': Node.next: Node contains itself"),
    "an Enum of objects": (
        "x: Odd",
        "str",
        "input 'x': Odd: the value (1, 2) can't be written in JSON",
    ),
}
CLASSES = """
class Strange: ...
class Node(BaseModel):
    next: "Optional[Node]" = None
class Odd(Enum):
    A = (1, 2)
"""


def write(folder: Path, body: str) -> None:
    """Write a predict.py."""
    (folder / "predict.py").write_text(HEAD + CLASSES + textwrap.dedent(body))


def from_source(folder: Path, ref: str = "predict.py:Predictor") -> SchemaError:
    """Return the error of the reader of source files."""
    with pytest.raises(SchemaError) as caught:
        read_source(folder, ref)
    return caught.value


@pytest.mark.parametrize(("parameters", "returns", "problem"), BOTH.values(), ids=BOTH.keys())
def test_both_readers_refuse_with_the_same_words(
    tmp_path: Path, parameters: str, returns: str | None, problem: str
) -> None:
    """A signature that can't be described is refused alike by both readers, with its file and line."""
    arrow = f" -> {returns}" if returns else ""
    write(tmp_path, f"class Predictor:\n    def predict(self, {parameters}){arrow}:\n        return 'x'\n")
    error = from_source(tmp_path)
    assert error.problem == problem
    assert error.path == "predict.py"
    assert error.line is not None
    try:
        with pytest.raises(SchemaError) as caught:
            read_object(load("predict.py:Predictor", str(tmp_path)))
    finally:
        sys.modules.pop("predict", None)
    assert caught.value.problem.replace("typing.", "") == problem


#: name: (source of the class, what the message says, text of the line it names)
STATIC = {
    "computed default": (
        "def predict(self, n: int = Input(default=os.getpid())) -> str: ...",
        "input 'n': the default `os.getpid()` is not known before the code runs",
    ),
    "computed choices": (
        "def predict(self, n: str = Input(choices=os.listdir('.'))) -> str: ...",
        "input 'n': the choices `os.listdir('.')` is not known before the code runs",
    ),
    "changed list": (
        "def predict(self, n: str = Input(choices=GROWING)) -> str: ...",
        "input 'n': the choices `GROWING` is not known before the code runs",
    ),
    "unknown name": ("def predict(self, n: Foo) -> str: ...", "input 'n': Foo is not defined"),
    "someone else's class": (
        "def predict(self, n: os.PathLike) -> str: ...",
        "input 'n': os.PathLike comes from another package, and what it holds is not known before the code runs",
    ),
    "argument that isn't": (
        "def predict(self, n: int = Input(min=3)) -> str: ...",
        "input 'n': Input() has no argument min",
    ),
    "default_factory": (
        "def predict(self, n: list = Input(default_factory=list)) -> str: ...",
        "input 'n': Input() takes no default_factory, because the default is shown in the schema",
    ),
    "a huge default": (
        "def predict(self, n: str = 'x' * 10**9) -> str: ...",
        "input 'n': the default `'x' * 10 ** 9` is not known before the code runs",
    ),
    "a huge number": (
        "def predict(self, n: int = 9**9**9**9) -> str: ...",
        "input 'n': the default `9 ** 9 ** 9 ** 9` is not known before the code runs",
    ),
    "no method": ("def forecast(self) -> str: ...", "Predictor has no method predict or run"),
    "two methods": (
        "def predict(self) -> str: ...\n    def run(self) -> str: ...",
        "Predictor has both predict and run",
    ),
    "streaming of one value": (
        "@streaming\n    def predict(self) -> str: ...",
        "@streaming needs an output that comes piece by piece, and predict() returns str",
    ),
    "concurrent but sync": (
        "@concurrent(max=4)\n    def predict(self) -> str: ...",
        "@concurrent(max=4) needs `async def predict`",
    ),
}


@pytest.mark.parametrize(("body", "problem"), STATIC.values(), ids=STATIC.keys())
def test_what_is_not_known_is_refused_with_its_place(tmp_path: Path, body: str, problem: str) -> None:
    """The static reader names the file, the line and the expression it can't know."""
    write(tmp_path, f"GROWING = ['a', 'b']\nGROWING.append('c')\nclass Predictor:\n    {body}\n")
    error = from_source(tmp_path)
    assert error.problem == problem
    assert error.path == "predict.py"
    assert error.line is not None
    assert str(error).startswith(f"predict.py:{error.line}: ")


def test_the_line_is_the_parameters_own(tmp_path: Path) -> None:
    """In a signature of several lines, the line of the very parameter is named."""
    (tmp_path / "predict.py").write_text(
        "from cog import Input\nclass Predictor:\n    def predict(\n        self,\n        a: int,\n"
        "        b: int = Input(ge='x'),\n        c: complex = 1,\n    ) -> str: ...\n"
    )
    assert from_source(tmp_path).line == 6


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        ("predict.py", "'predict.py' is no reference to a predictor"),
        ("predict:Predictor", "'predict:Predictor' is no reference to a predictor"),
        ("../predict.py:Predictor", "../predict.py is outside of the project"),
        ("/etc/predict.py:Predictor", "/etc/predict.py is outside of the project"),
        ("predict.py:Nobody", "there is no class or function Nobody"),
        ("predict.py:read_source", "there is no class or function read_source"),
        ("predict.py:helper", "helper comes from cog.schema.read_source, which is not in the project"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(tmp_path: Path, ref: str, problem: str) -> None:
    """A wrong reference says what it should look like, or what there is."""
    write(tmp_path, "class Predictor:\n    def predict(self) -> str: ...\n")
    error = from_source(tmp_path, ref)
    assert error.problem == problem
    assert error.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that isn't there is named."""
    assert "there is no file predict.py" in from_source(tmp_path).problem


def test_invalid_python_is_refused_with_its_line(tmp_path: Path) -> None:
    """A syntax error is shown as one, at its line."""
    (tmp_path / "predict.py").write_text("import os\n\nclass Predictor(:\n")
    error = from_source(tmp_path)
    assert error.line == 3
    assert error.problem.startswith("is not valid Python")


@pytest.mark.parametrize("body", ["(" * 500 + ")" * 500, " + ".join(["1"] * 5000), "-" * 4000 + "1"])
def test_endless_nesting_is_refused(tmp_path: Path, body: str) -> None:
    """A value nested beyond all reason is an error, not a crash."""
    (tmp_path / "predict.py").write_text(f"X = {body}\ndef predict(x: list = X) -> str: ...\n")
    assert from_source(tmp_path, "predict.py:predict").path == "predict.py"


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    """Two modules taking a name from each other are an error, not an endless search."""
    (tmp_path / "a.py").write_text("from b import Thing\n")
    (tmp_path / "b.py").write_text("from a import Thing\n")
    (tmp_path / "predict.py").write_text("from a import Thing\ndef predict(x: Thing) -> str: ...\n")
    assert from_source(tmp_path, "predict.py:predict").problem == "input 'x': Thing is not defined"


def test_a_constant_made_of_itself_ends(tmp_path: Path) -> None:
    """A value defined by itself is unknown, not an endless evaluation."""
    (tmp_path / "predict.py").write_text("A = A + [1]\ndef predict(x: list = A) -> str: ...\n")
    assert "is not known" in from_source(tmp_path, "predict.py:predict").problem
