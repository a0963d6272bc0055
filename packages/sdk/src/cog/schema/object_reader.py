"""The reader of loaded predictors, used in the worker."""

from __future__ import annotations

import inspect
from typing import Any

from cog.errors import SchemaError
from cog.input import MISSING, FieldInfo
from cog.schema import rules
from cog.schema.annotations import read_annotation, type_hints
from cog.schema.literals import to_json
from cog.schema.signature import Parameter, Signature
from cog.traits import CONCURRENCY, STREAMING

#: The methods looked for, by mode; one of them must be there, and not both.
METHODS = {False: ("predict", "run"), True: ("train", "predict", "run")}


def find_function(obj: Any, *, train: bool = False) -> Any:
    """Return the function that makes predictions: `obj` itself, or its method. Raises SchemaError."""
    if inspect.isroutine(obj):
        return obj
    found = [name for name in METHODS[train] if callable(getattr(obj, name, None))]
    name = obj.__name__ if isinstance(obj, type) else type(obj).__name__
    if not found:
        raise SchemaError(
            f"{name} has no method {' or '.join(METHODS[train])}",
            hint="Write `def predict(self, …) -> …` (or `def run`) in it.",
        )
    if "predict" in found and "run" in found and "train" not in found:
        raise SchemaError(
            f"{name} has both predict and run", hint="Keep one of them; Cogyard can't tell which one to call."
        )
    return getattr(obj, found[0])


def read_object(obj: Any, *, train: bool = False) -> Signature:
    """Read the signature of a class, an instance or a function. Raises SchemaError."""
    function = find_function(obj, train=train)
    plain = inspect.unwrap(function)
    plain = getattr(plain, "__func__", plain)
    code = getattr(plain, "__code__", None)
    try:
        return _read(function, plain, skip_self=isinstance(obj, type) and not _is_static(obj, function))
    except SchemaError as error:
        if code is None:
            raise
        raise error.at(code.co_filename, code.co_firstlineno) from None


def is_async(function: Any) -> bool:
    """Say whether a function is `async def`, be it a coroutine or a generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_static(cls: type, function: Any) -> bool:
    found = inspect.getattr_static(cls, function.__name__, None)
    return isinstance(found, (staticmethod, classmethod))


def _read(function: Any, plain: Any, *, skip_self: bool) -> Signature:
    name = plain.__name__
    hints = type_hints(plain)
    parameters = list(inspect.signature(function).parameters.values())
    if skip_self:
        parameters = parameters[1:]
    inputs: list[Parameter] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL or parameter.kind is parameter.VAR_KEYWORD:
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise SchemaError(
                f"{name}() takes {stars}{parameter.name}", hint="Name every input as a parameter of its own."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise SchemaError(
                f"{name}() takes {parameter.name!r} by position only",
                hint="Take the `/` out of the parameters.",
            )
        if parameter.name not in hints:
            raise SchemaError(
                f"input {parameter.name!r} of {name}() has no type",
                hint=f"Write `{parameter.name}: str`, for example.",
            )
        inputs.append(_read_parameter(parameter, hints[parameter.name]))
    if "return" not in hints:
        raise SchemaError(f"{name}() does not say what it returns", hint=rules.RETURNS)
    try:
        output = rules.check_output(read_annotation(hints["return"]))
    except SchemaError as error:
        raise SchemaError(f"output of {name}(): {error.problem}", hint=error.hint) from None
    return rules.make_signature(
        name,
        tuple(inputs),
        output,
        is_async=is_async(plain),
        streaming=bool(getattr(plain, STREAMING, getattr(function, STREAMING, False))),
        concurrency=getattr(plain, CONCURRENCY, getattr(function, CONCURRENCY, None)),
    )


def _read_parameter(parameter: inspect.Parameter, hint: Any) -> Parameter:
    default = parameter.default
    if not isinstance(default, FieldInfo):
        default = FieldInfo(default=MISSING if default is inspect.Parameter.empty else default)
    try:
        info = FieldInfo(**{name: getattr(default, name) for name in FieldInfo.NAMES})
        info.default = to_json(default.default)
        if default.choices is not None:
            info.choices = tuple(to_json(choice) for choice in default.choices)
        return rules.make_parameter(parameter.name, read_annotation(hint), info)
    except SchemaError as error:
        raise SchemaError(f"input {parameter.name!r}: {error.problem}", hint=error.hint) from None
