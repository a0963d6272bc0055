"""The reader of loaded predictors, used in the worker."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from cog.errors import SchemaError
from cog.input import MISSING, FieldInfo
from cog.schema import rules
from cog.schema.annotations import read_annotation, type_hints
from cog.schema.literals import choices_to_json, to_json
from cog.schema.signature import Parameter, Signature, Traits
from cog.traits import BATCH, CONCURRENCY, IDEMPOTENT, STREAMING


def find_function(obj: Any, *, train: bool = False) -> Any:
    """Return the function that makes predictions: `obj` itself, or its method. Raises SchemaError."""
    if inspect.isroutine(obj):
        return obj
    found = tuple(name for name in rules.METHODS[True] if callable(getattr(obj, name, None)))
    name = obj.__name__ if isinstance(obj, type) else type(obj).__name__
    return getattr(obj, rules.choose_method(name, found, train=train))


def read_object(obj: Any, *, train: bool = False) -> Signature:
    """Read the signature of a class, an instance or a function. Raises SchemaError."""
    function = find_function(obj, train=train)
    plain = written(function)
    code = getattr(plain, "__code__", None)
    try:
        return _read(function, plain, skip_self=isinstance(obj, type) and not _is_static(obj, function))
    except SchemaError as error:
        if code is None:
            raise
        raise error.at(code.co_filename, code.co_firstlineno) from None


def written(function: Any) -> Any:
    """Return the function as the author wrote it, below decorators, partials and what binds it to an instance."""
    while True:
        # What a class gives for a functools.partialmethod keeps it under one name, before Python 3.13 under another.
        method = getattr(function, "__partialmethod__", getattr(function, "_partialmethod", None))
        if isinstance(function, functools.partial) or method is not None:
            inner = function.func if method is None else method.func
        else:
            inner = inspect.unwrap(function)
        inner = getattr(inner, "__func__", inner)
        if inner is function:
            return function
        function = inner


def is_async(function: Any) -> bool:
    """Say whether a function is `async def`, be it a coroutine or a generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _is_static(cls: type, function: Any) -> bool:
    found = inspect.getattr_static(cls, getattr(function, "__name__", ""), None)
    return isinstance(found, (staticmethod, classmethod))


def _read(function: Any, plain: Any, *, skip_self: bool) -> Signature:
    name = plain.__name__
    batched = _marked(function, plain, BATCH) is not None
    said = inspect.signature(function)
    parameters = list(said.parameters.values())
    hints = {**_written_out(said, plain), **type_hints(plain)}
    if skip_self:
        parameters = parameters[1:]
    inputs: list[Parameter] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL or parameter.kind is parameter.VAR_KEYWORD:
            raise rules.starred(
                name, "*" if parameter.kind is parameter.VAR_POSITIONAL else "**", parameter.name
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise rules.positional(name, parameter.name)
        if parameter.name not in hints:
            raise rules.untyped(name, parameter.name)
        inputs.append(_read_parameter(parameter, hints[parameter.name], batched=batched))
    if "return" not in hints:
        raise rules.no_output(name)
    try:
        output = read_annotation(hints["return"])
        output = rules.check_output(rules.single(output) if batched else output)
    except SchemaError as error:
        raise error.within(f"output of {name}()") from None
    traits = Traits(
        streaming=bool(_marked(function, plain, STREAMING)),
        concurrency=_marked(function, plain, CONCURRENCY),
        batched=batched,
        idempotent=bool(_marked(function, plain, IDEMPOTENT)),
    )
    return rules.make_signature(name, tuple(inputs), output, is_async=is_async(plain), traits=traits)


def _marked(function: Any, plain: Any, mark: str) -> Any:
    """Return what a decorator has noted on a function, or on what others have wrapped around it."""
    return getattr(plain, mark, getattr(function, mark, None))


def _written_out(said: inspect.Signature, plain: Any) -> dict[str, Any]:
    """Return the types of a signature that was given to a function whose own annotations are others."""
    if not hasattr(plain, "__signature__"):
        return {}
    found = {parameter.name: parameter.annotation for parameter in said.parameters.values()}
    found["return"] = said.return_annotation
    home = getattr(plain, "__globals__", {})
    return {
        name: _evaluated(hint, home) for name, hint in found.items() if hint is not inspect.Signature.empty
    }


def _evaluated(hint: Any, home: dict[str, Any]) -> Any:
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, home)  # noqa: S307 - an annotation of the author's, as typing.get_type_hints evaluates it
    except Exception as error:  # noqa: BLE001 - as above
        raise SchemaError(f"the annotation {hint!r} can't be evaluated: {error}") from None


def _read_parameter(parameter: inspect.Parameter, hint: Any, *, batched: bool) -> Parameter:
    default = parameter.default
    if not isinstance(default, FieldInfo):
        missing = default is inspect.Parameter.empty or default is ...
        default = FieldInfo(default=MISSING if missing else default)
    try:
        info = FieldInfo(**{name: getattr(default, name) for name in FieldInfo.NAMES})
        info.default = to_json(default.default)
        if default.choices is not None:
            info.choices = choices_to_json(default.choices)
        kind = read_annotation(hint)
        return rules.make_parameter(parameter.name, rules.single(kind) if batched else kind, info)
    except SchemaError as error:
        raise error.within(f"input {parameter.name!r}") from None
