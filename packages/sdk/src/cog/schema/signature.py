"""`Signature`: what both readers return and the writer writes."""

from __future__ import annotations

from typing import Any

from cog.input import MISSING
from cog.schema.types import IteratorType, Type
from cog.schema.value import Value


class Parameter(Value):
    """One input. `default` is JSON, or MISSING; the bounds are those of `Input()`."""

    name: str
    type: Type
    default: Any = MISSING
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str | None = None
    deprecated: bool = False
    accept: str | None = None

    @property
    def required(self) -> bool:
        """Say whether a request must name this input."""
        return self.default is MISSING


class Traits(Value):
    """What a predictor's decorators say of it."""

    streaming: bool = False
    concurrency: int | None = None
    batched: bool = False
    idempotent: bool = False


class Signature(Value):
    """A predictor's inputs, output and traits. `function` is the method's (or function's) name.

    Of a batched one the types are those of a single prediction, without the lists around them.
    """

    function: str
    parameters: tuple[Parameter, ...]
    output: Type
    is_async: bool = False
    traits: Traits = Traits()

    @property
    def iterator(self) -> bool:
        """Say whether the output comes piece by piece."""
        return isinstance(self.output, IteratorType)
