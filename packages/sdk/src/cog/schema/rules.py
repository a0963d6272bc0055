"""What makes an input or a signature valid; both readers ask here, so that both refuse the same things."""

from __future__ import annotations

import math
import re
from typing import Any

from cog.errors import SchemaError
from cog.input import MISSING, FieldInfo
from cog.schema import texts
from cog.schema import types as t
from cog.schema.signature import Parameter, Signature, Traits

FEWEST_CHOICES = 1


def starred(function: str, stars: str, name: str) -> SchemaError:
    """Return the error of a parameter that takes anything."""
    return SchemaError(
        f"{function}() takes {stars}{name}", hint="Name every input as a parameter of its own."
    )


def positional(function: str, name: str) -> SchemaError:
    """Return the error of a parameter that has no name for callers."""
    return SchemaError(
        f"{function}() takes {name!r} by position only", hint="Take the `/` out of the parameters."
    )


def untyped(function: str, name: str) -> SchemaError:
    """Return the error of a parameter without a type."""
    return SchemaError(
        f"input {name!r} of {function}() has no type", hint=f"Write `{name}: str`, for example."
    )


def no_output(function: str) -> SchemaError:
    """Return the error of a function that does not say what it returns."""
    return SchemaError(
        f"{function}() does not say what it returns",
        hint="Write what comes out, for example `-> str`, `-> Path` or `-> ConcatenateIterator[str]`.",
    )


def no_method(cls: str, methods: tuple[str, ...]) -> SchemaError:
    """Return the error of a class that makes no predictions."""
    return SchemaError(
        f"{cls} has no method {' or '.join(methods)}",
        hint=f"Write `def {methods[0]}(self, …) -> …` in it.",
    )


def both_methods(cls: str) -> SchemaError:
    """Return the error of a class with two methods that could be meant."""
    return SchemaError(f"{cls} has both predict and run", hint="Keep one of them; only one can be called.")


def choose_method(cls: str, found: tuple[str, ...], *, train: bool) -> str:
    """Return the method to call of those that a class has. Raises SchemaError for none or two."""
    wanted = METHODS[train]
    there = [name for name in wanted if name in found]
    if not there:
        raise no_method(cls, wanted)
    if there == ["predict", "run"]:
        raise both_methods(cls)
    return there[0]


#: The methods looked for, the first one first: for predictions and for trainings.
METHODS = {False: ("predict", "run"), True: ("train", "predict", "run")}


def make_parameter(name: str, kind: t.Type, info: FieldInfo) -> Parameter:
    """Join a parameter's type and what `Input()` says of it, whose default is JSON already. Raises SchemaError."""
    _check_said(info)
    if _holds_iterator(kind):
        raise SchemaError("an iterator can't be an input", hint="Write `list[…]`.")
    if isinstance(kind, t.NullType):
        raise SchemaError("None alone is no type for an input")
    if info.choices is not None:
        kind = _with_choices(kind, info)
    _check_bounds(kind, info)
    default = info.default
    if default is None:
        kind = t.optional(kind)
    elif default is MISSING and isinstance(kind, t.OptionalType):
        default = None
    if default is not MISSING and default is not None:
        _check_default(kind, default, info)
    return Parameter(
        name=name,
        type=kind,
        default=default,
        description=info.description,
        ge=info.ge,
        le=info.le,
        min_length=info.min_length,
        max_length=info.max_length,
        regex=info.regex,
        deprecated=bool(info.deprecated),
        accept=info.accept,
    )


def make_signature(
    function: str,
    parameters: tuple[Parameter, ...],
    output: t.Type,
    *,
    is_async: bool,
    traits: Traits,
) -> Signature:
    """Join the parts of a signature. Raises SchemaError."""
    if traits.streaming and not isinstance(output, t.IteratorType):
        raise SchemaError(
            f"@streaming needs an output that comes piece by piece, and {function}() returns {t.describe(output)}",
            hint="Return `Iterator[…]` or `ConcatenateIterator[str]`, or take @streaming away.",
        )
    if traits.concurrency is not None and traits.concurrency > 1 and not is_async:
        raise SchemaError(
            f"@concurrent(max={traits.concurrency}) needs `async def {function}`",
            hint="A plain function runs one prediction at a time.",
        )
    return Signature(
        function=function,
        parameters=parameters,
        output=output,
        is_async=is_async,
        traits=traits,
    )


def single(kind: t.Type) -> t.Type:
    """Return the type of one item of what a `@batched` function takes or returns. Raises SchemaError."""
    if not isinstance(kind, t.ArrayType) or kind.form != "list":
        raise SchemaError(
            f"a @batched function takes and returns lists, not {t.describe(kind)}",
            hint=f"Write `list[{t.describe(kind)}]`: one item for each prediction of the batch.",
        )
    if _holds_iterator(kind.items):
        raise SchemaError(
            "a @batched function cannot yield an iterator's pieces", hint="Return lists, all at once."
        )
    return kind.items


def check_output(kind: t.Type) -> t.Type:
    """Return the type of an output when it can be one. Raises SchemaError."""
    inner = kind.items if isinstance(kind, t.IteratorType) else kind
    if _holds_iterator(inner):
        raise SchemaError(
            "an iterator stands inside another type in the return annotation",
            hint="Only the whole output can be an iterator: `-> Iterator[list[str]]`.",
        )
    if isinstance(kind, t.IteratorType) and kind.concatenate and kind.items not in (t.STRING, t.AnyType()):
        raise SchemaError(
            f"ConcatenateIterator joins texts, not {t.describe(kind.items)}",
            hint="Write `ConcatenateIterator[str]`, or `Iterator[…]` for pieces of another type.",
        )
    return kind


#: What may be said of an input, by name of the argument.
_SAID: dict[str, tuple[tuple[type, ...], str]] = {
    "description": ((str,), "a text"),
    "ge": ((int, float), "a number"),
    "le": ((int, float), "a number"),
    "min_length": ((int,), "a whole number"),
    "max_length": ((int,), "a whole number"),
    "regex": ((str,), "a text"),
    "choices": ((list,), "a list"),
    "deprecated": ((bool,), "True or False"),
    "accept": ((str,), "a text"),
}


def _check_said(info: FieldInfo) -> None:
    for name, (kinds, words) in _SAID.items():
        value = getattr(info, name)
        if value is None:
            continue
        strange = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
        if strange or (isinstance(value, float) and not math.isfinite(value)):
            raise SchemaError(f"{name}={value!r} has to be {words}")


def _with_choices(kind: t.Type, info: FieldInfo) -> t.Type:
    choices = tuple(info.choices or ())
    if len(choices) < FEWEST_CHOICES:
        raise SchemaError("choices is empty", hint='Name the allowed values: choices=["a", "b"].')
    if info.ge is not None or info.le is not None:
        raise SchemaError("choices and ge/le exclude each other")
    if info.min_length is not None or info.max_length is not None or info.regex is not None:
        raise SchemaError("choices and min_length/max_length/regex exclude each other")
    inner = t.unwrap(kind)
    element = inner.items if isinstance(inner, t.ArrayType) else inner
    if not isinstance(element, t.Scalar) or element == t.BOOLEAN:
        raise SchemaError(
            f"choices needs a str, int or float, not {t.describe(kind)}",
            hint="For an Enum or Literal the type itself lists the choices.",
        )
    for choice in choices:
        if not fits(element, choice):
            raise SchemaError(f"the choice {choice!r} is not of type {t.describe(element)}")
    narrowed: t.Type = t.choice(choices, base=element)
    if isinstance(inner, t.ArrayType):
        narrowed = t.ArrayType(narrowed, inner.form)
    return t.optional(narrowed) if isinstance(kind, t.OptionalType) else narrowed


def _check_bounds(kind: t.Type, info: FieldInfo) -> None:
    inner = t.unwrap(kind)
    if (info.ge is not None or info.le is not None) and inner not in (t.INTEGER, t.NUMBER):
        raise SchemaError(f"ge/le bound an int or float, not {t.describe(kind)}")
    texts = info.min_length is not None or info.max_length is not None or info.regex is not None
    if texts and inner not in (t.STRING, t.SecretType()):
        raise SchemaError(f"min_length/max_length/regex are for a str, not {t.describe(kind)}")
    if info.ge is not None and info.le is not None and info.ge > info.le:
        raise SchemaError(f"ge={info.ge} is above le={info.le}, so nothing fits")
    if info.min_length is not None and info.max_length is not None and info.min_length > info.max_length:
        raise SchemaError(f"min_length={info.min_length} is above max_length={info.max_length}")
    if info.regex is not None:
        try:
            re.compile(info.regex)
        except re.error as error:
            raise SchemaError(f"regex={info.regex!r} is no regular expression: {error}") from None
    if info.accept is not None:
        element = inner.items if isinstance(inner, t.ArrayType) else inner
        if not isinstance(element, t.FileType):
            raise SchemaError(f"accept names media types for a Path or File, not {t.describe(kind)}")


def _check_default(kind: t.Type, default: Any, info: FieldInfo) -> None:
    if not fits(kind, default):
        inner = t.unwrap(kind)
        if isinstance(inner, t.ChoiceType):
            listed = ", ".join(repr(value) for value in inner.values)
            raise SchemaError(f"the default {default!r} is not among the choices {listed}")
        raise SchemaError(f"the default {default!r} is not of type {t.describe(kind)}")
    if info.ge is not None and default < info.ge:
        raise SchemaError(f"the default {default!r} is below ge={info.ge}")
    if info.le is not None and default > info.le:
        raise SchemaError(f"the default {default!r} is above le={info.le}")
    if info.min_length is not None and len(default) < info.min_length:
        raise SchemaError(f"the default {default!r} is shorter than min_length={info.min_length}")
    if info.max_length is not None and len(default) > info.max_length:
        raise SchemaError(f"the default {default!r} is longer than max_length={info.max_length}")
    if info.regex is not None and re.search(info.regex, default) is None:
        raise SchemaError(f"the default {default!r} does not match regex={info.regex!r}")


def fits(kind: t.Type, value: Any) -> bool:
    """Say whether a JSON value is of this type."""
    if isinstance(kind, t.OptionalType):
        return value is None or fits(kind.of, value)
    if isinstance(kind, t.Scalar):
        return _fits_scalar(kind.name, value)
    if isinstance(kind, (t.FileType, t.SecretType)):
        return isinstance(value, str)
    if isinstance(kind, t.ChoiceType):
        return any(
            value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in kind.values
        )
    if isinstance(kind, t.ArrayType):
        return isinstance(value, list) and all(fits(kind.items, item) for item in value)
    if isinstance(kind, t.TupleType):
        return (
            isinstance(value, list)
            and len(value) == len(kind.members)
            and all(map(fits, kind.members, value))
        )
    if isinstance(kind, t.TextType):
        return _fits_text(kind.form, value)
    if isinstance(kind, t.ObjectType):
        values = kind.values
        return isinstance(value, dict) and (
            values is None or all(fits(values, item) for item in value.values())
        )
    if isinstance(kind, t.RecordType):
        return isinstance(value, dict)
    if isinstance(kind, t.UnionType):
        return any(fits(member, value) for member in kind.members)
    return not isinstance(kind, t.NullType) or value is None


def _fits_text(form: str, value: Any) -> bool:
    try:
        texts.reader(form)(value)
    except (TypeError, ValueError):
        return False
    return True


def _fits_scalar(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "string":
        return isinstance(value, str)
    if name == "number":
        return isinstance(value, (int, float))
    return name == "integer" and isinstance(value, int)


def _holds_iterator(kind: t.Type) -> bool:
    if isinstance(kind, t.IteratorType):
        return True
    if isinstance(kind, t.OptionalType):
        return _holds_iterator(kind.of)
    if isinstance(kind, t.ArrayType):
        return _holds_iterator(kind.items)
    if isinstance(kind, t.ObjectType):
        return kind.values is not None and _holds_iterator(kind.values)
    if isinstance(kind, (t.UnionType, t.TupleType)):
        return any(_holds_iterator(member) for member in kind.members)
    if isinstance(kind, t.RecordType):
        return any(_holds_iterator(item.type) for item in kind.fields)
    return False
