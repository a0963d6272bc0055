"""Decorators between an author's function and its name do not hide what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cog
import pytest
from cog.schema import read_object, read_source
from cog.worker.load import load
from cog.worker.model import Model

SOURCE = """
import functools
from collections.abc import AsyncIterator
import cog

def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **options):
        return function(*args, **options)
    return wrapper

class Base:
    @timed
    def predict(self, n: int = 2) -> str:
        return str(n)

class Plain(Base):
    pass

class Static:
    @staticmethod
    def predict(n: int = 2) -> str:
        return str(n)

class OfTheClass:
    @classmethod
    def predict(cls, n: int = 2) -> str:
        return str(n)

class Async:
    @timed
    @cog.concurrent(max=3)
    @cog.streaming
    @timed
    async def predict(self, n: int = 2) -> AsyncIterator[int]:
        yield n

instance = Plain()

@timed
def function(n: int = 2) -> str:
    return str(n)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Write the source, and forget it afterwards."""
    (tmp_path / "predict.py").write_text(SOURCE)
    yield tmp_path
    sys.modules.pop("predict", None)


@pytest.mark.parametrize("name", ["Plain", "Static", "OfTheClass", "Async", "instance", "function"])
def test_a_decorated_function_is_read_as_it_was_written(project: Path, name: str) -> None:
    """Both readers see through decorators, inheritance, static and class methods, and instances."""
    loaded = load(f"predict.py:{name}", str(project))
    signature = read_object(loaded)
    assert signature == read_source(project, f"predict.py:{name}")
    assert [parameter.name for parameter in signature.parameters] == ["n"]
    model = Model(loaded, environ={})
    assert model.schema_error is None
    assert model.arguments({}) == {"n": 2}
    if name != "Async":
        assert model.function(**model.arguments({"n": 3})) == "3"


def test_a_decorated_async_generator_keeps_its_traits(project: Path) -> None:
    """Async, concurrency and streaming survive functools.wraps."""
    model = Model(load("predict.py:Async", str(project)), environ={})
    assert (model.is_async, model.concurrency, model.streaming, model.iterator) == (True, 3, True, True)
    assert Model(load("predict.py:Plain", str(project)), environ={}).is_async is False


FEWER = """
import functools, inspect
import cog

def without(function, name):
    def wrapper(self, **options):
        return function(self, **{name: None}, **options)
    functools.update_wrapper(wrapper, function)
    said = inspect.signature(function)
    kept = [each for each in said.parameters.values() if each.name != name]
    wrapper.__signature__ = said.replace(parameters=kept)
    return functools.partialmethod(wrapper)

class Predictor:
    def predict(self, n: int = cog.Input(default=2), hidden: str = cog.Input(default="x")) -> str:
        return f"{n} {hidden}"
    predict = without(predict, "hidden")

class Fixed:
    def ask(self, n: int, much: int) -> str:
        return f"{n} {much}"
    predict = functools.partialmethod(ask, much=7)
"""


SIGNED = """
import inspect
import cog

class Predictor:
    def predict(self, n: int = cog.Input(default=2), hidden: "str" = cog.Input(default="x")) -> str:
        return f"{n} {hidden}"
    _predict = predict
    def base_predict(self, *args, **options) -> "str":
        return self._predict(*args, hidden=None, **options)
    said = inspect.signature(_predict)
    predict = base_predict
    predict.__signature__ = said.replace(parameters=[p for k, p in said.parameters.items() if k != "hidden"])
"""


def test_a_signature_of_its_own_is_believed(project: Path) -> None:
    """A function to which a model gave another's signature takes what that says."""
    (project / "predict.py").write_text(SIGNED)
    model = Model(load("predict.py:Predictor", str(project)), environ={})
    assert model.schema_error is None
    assert model.signature is not None
    assert [parameter.name for parameter in model.signature.parameters] == ["n"]
    assert model.function(**model.arguments({"n": 3})) == "3 None"


@pytest.mark.parametrize(
    ("name", "inputs", "output"), [("Predictor", ["n"], "3 None"), ("Fixed", ["n", "much"], "3 7")]
)
def test_a_partial_method_predicts(project: Path, name: str, inputs: list[str], output: str) -> None:
    """functools.partialmethod, with which models take inputs away, has the signature that inspect gives it."""
    (project / "predict.py").write_text(FEWER)
    loaded = load(f"predict.py:{name}", str(project))
    model = Model(loaded, environ={})
    assert model.schema_error is None
    assert model.signature is not None
    assert model.signature == read_object(loaded)
    assert [parameter.name for parameter in model.signature.parameters] == inputs
    assert model.function(**model.arguments({"n": 3})) == output


def test_the_loaded_module_is_the_one_others_import(project: Path) -> None:
    """`import predict` elsewhere in the project gives the module that is running."""
    loaded = load("predict.py:Plain", str(project))
    assert sys.modules["predict"].Plain is loaded


def test_marks_leave_the_function_itself() -> None:
    """@streaming and @concurrent return what they were given."""

    def predict() -> str:
        return "x"

    marked: Callable[..., Any] = cog.concurrent(max=1)(cog.streaming(predict))
    assert marked is predict
