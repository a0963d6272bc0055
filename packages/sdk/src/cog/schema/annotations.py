"""Loaded annotations to types of the schema: `list[int] | None` the object, not its text."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import pathlib
import types
import typing
from typing import Any

from cog.coder import Coder
from cog.errors import SchemaError
from cog.file import File
from cog.input import MISSING
from cog.iterators import AsyncConcatenateIterator, ConcatenateIterator
from cog.model import DESCRIPTION
from cog.opaque import Opaque
from cog.schema import types as t
from cog.schema.literals import UNKNOWN_TYPE
from cog.secret import Secret

_SIMPLE: dict[Any, t.Type] = {
    str: t.STRING,
    int: t.INTEGER,
    float: t.NUMBER,
    bool: t.BOOLEAN,
    None: t.NullType(),
    type(None): t.NullType(),
    Any: t.AnyType(),
    object: t.AnyType(),
    Opaque: t.ObjectType(),
    Secret: t.SecretType(),
}
_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_ITERATORS = (
    collections.abc.Iterator,
    collections.abc.AsyncIterator,
    collections.abc.Iterable,
    collections.abc.AsyncIterable,
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
)
#: Classes recognised by name, so that their packages are never imported for it.
_FOREIGN: dict[str, t.Type] = {
    "PIL.Image.Image": t.FileType("image"),
    "numpy.ndarray": t.ArrayType(t.AnyType(), "ndarray"),
    "torch.Tensor": t.ArrayType(t.AnyType(), "tensor"),
    "datetime.datetime": t.TextType("date-time"),
    "datetime.date": t.TextType("date"),
    "datetime.time": t.TextType("time"),
    "uuid.UUID": t.TextType("uuid"),
}


def read_annotation(annotation: Any, *, stack: tuple[Any, ...] = ()) -> t.Type:
    """Return the type an annotation stands for; `stack` holds the classes being read. Raises SchemaError."""
    try:
        simple = _SIMPLE.get(annotation)
    except TypeError:  # unhashable: Annotated[…, {}] and the like
        simple = None
    if simple is not None:
        return simple
    if isinstance(annotation, str):  # list["Box"], which Python 3.10 leaves as it is
        raise SchemaError(
            f"{annotation!r} stands in quotes inside of another type", hint="Take the quotes away."
        )
    if hasattr(annotation, "__supertype__"):  # NewType
        return read_annotation(annotation.__supertype__, stack=stack)
    if type(annotation).__name__ == "TypeAliasType":  # `type X = …`
        return read_annotation(annotation.__value__, stack=stack)
    origin = typing.get_origin(annotation)
    if origin is not None:
        return _read_generic(annotation, origin, typing.get_args(annotation), stack)
    if isinstance(annotation, type):
        return _read_class(annotation, stack)
    raise SchemaError(f"{_show(annotation)} is no type the schema knows", hint=UNKNOWN_TYPE)


def _read_generic(annotation: Any, origin: Any, args: tuple[Any, ...], stack: tuple[Any, ...]) -> t.Type:
    if origin is typing.Annotated:
        if any(mark is Opaque or isinstance(mark, Opaque) for mark in annotation.__metadata__):
            return t.ObjectType()
        return read_annotation(args[0], stack=stack)
    if origin is typing.Union or origin is types.UnionType:
        return t.union(tuple(read_annotation(arg, stack=stack) for arg in args))
    if origin is typing.Literal:
        return _read_literal(args)
    if origin in (ConcatenateIterator, AsyncConcatenateIterator):
        return t.IteratorType(read_annotation(args[0], stack=stack), concatenate=True)
    if origin in _ITERATORS:
        return t.IteratorType(read_annotation(args[0], stack=stack) if args else t.AnyType())
    if origin in _DICTS:
        if len(args) == 2 and read_annotation(args[0], stack=stack) not in (t.STRING, t.AnyType()):
            raise SchemaError(
                f"{_show(annotation)}: the keys of a JSON object are texts", hint="Write dict[str, …]."
            )
        values = read_annotation(args[1], stack=stack) if len(args) == 2 else t.AnyType()
        return t.ObjectType(None if values == t.AnyType() else values)
    if origin in _LISTS:
        return t.ArrayType(read_annotation(args[0], stack=stack) if args else t.AnyType())
    if origin in _SETS:
        return t.ArrayType(read_annotation(args[0], stack=stack) if args else t.AnyType(), "set")
    if origin is tuple:
        return _read_tuple(args, stack)
    if _dotted(origin) == "numpy.ndarray":
        return _FOREIGN["numpy.ndarray"]
    if isinstance(origin, type):
        return _read_class(origin, stack)
    raise SchemaError(f"{_show(annotation)} is no type the schema knows", hint=UNKNOWN_TYPE)


def _read_tuple(args: tuple[Any, ...], stack: tuple[Any, ...]) -> t.Type:
    members = tuple(read_annotation(arg, stack=stack) for arg in args if arg is not ... and arg != ())
    if len(members) == 1 and args[-1] is ...:
        return t.ArrayType(members[0], "tuple")
    return t.TupleType(members)


def _read_literal(args: tuple[Any, ...]) -> t.Type:
    values = [arg.value if isinstance(arg, enum.Enum) else arg for arg in args if arg is not None]
    for value in values:
        if not isinstance(value, (str, int, float, bool)):
            raise SchemaError(
                f"Literal[{value!r}] can't be written in JSON", hint="Use str, int or bool values."
            )
    if not values:
        return t.NullType()
    chosen = t.choice(tuple(values))
    return t.optional(chosen) if len(values) < len(args) else chosen


def _read_class(cls: type, stack: tuple[Any, ...]) -> t.Type:
    if cls in stack:
        raise SchemaError(f"{cls.__name__} contains itself", hint="Write `dict` or `Any` for the inner one.")
    if cls in _LISTS:
        return t.ArrayType(t.AnyType())
    if cls in _SETS:
        return t.ArrayType(t.AnyType(), "set")
    if cls is tuple:
        return t.ArrayType(t.AnyType(), "tuple")
    if cls in _DICTS:
        return t.ObjectType()
    if cls in _ITERATORS:
        return t.IteratorType(t.AnyType())
    if cls in (ConcatenateIterator, AsyncConcatenateIterator):
        return t.IteratorType(t.STRING, concatenate=True)
    if issubclass(cls, pathlib.PurePath):
        return t.FileType("path")
    if issubclass(cls, File) or cls.__module__ in {"_io", "io"}:
        return t.FileType("file")
    if issubclass(cls, enum.Enum):
        return _read_enum(cls)
    if _is_record(cls):
        return _read_record(cls, (*stack, cls))
    foreign = _FOREIGN.get(_dotted(cls))
    if foreign is not None:
        return foreign
    coder = Coder.lookup(cls)
    if coder is not None:
        return t.ObjectType(python=coder)
    raise SchemaError(f"{cls.__name__} is no type the schema knows", hint=UNKNOWN_TYPE)


def _read_enum(cls: type[enum.Enum]) -> t.Type:
    values = tuple(member.value for member in cls)
    for value in values:
        if not isinstance(value, (str, int, float, bool)):
            raise SchemaError(
                f"{cls.__name__}: the value {value!r} can't be written in JSON", hint="Use str or int values."
            )
    if not values:
        raise SchemaError(f"{cls.__name__} has no members")
    return t.choice(values, python=cls)


def _is_record(cls: type) -> bool:
    # An abstract TypedDict test is `typing.is_typeddict`; typing_extensions' own look the same.
    return (
        dataclasses.is_dataclass(cls)
        or typing.is_typeddict(cls)
        or isinstance(getattr(cls, "model_fields", None), dict)
        or is_pydantic_1(cls)
        or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
        or (issubclass(cls, dict) and hasattr(cls, "__total__"))
    )


def is_pydantic_1(cls: type) -> bool:
    """Say whether a class is a model of pydantic 1; a model of pydantic 2 has `__fields__` too, and complains of it."""
    return not hasattr(cls, "model_fields") and isinstance(getattr(cls, "__fields__", None), dict)


def _read_record(cls: Any, stack: tuple[Any, ...]) -> t.Type:
    fields: list[t.Field] = []
    for name, annotation in type_hints(cls).items():
        hint = annotation
        if name.startswith("_") or typing.get_origin(hint) is typing.ClassVar or hint is typing.ClassVar:
            continue
        required, default, description = _field(cls, name)
        mark = _requirement(hint)
        if mark is not None:
            required, hint = mark == "Required", typing.get_args(hint)[0]
        try:
            kind = read_annotation(hint, stack=stack)
        except SchemaError as error:
            raise error.within(f"{cls.__name__}.{name}") from None
        fields.append(t.Field(name, t.optional(kind) if default is None else kind, required, description))
    return t.RecordType(cls.__name__, tuple(fields), cls)


def _requirement(hint: Any) -> str | None:
    """Return "Required" or "NotRequired" when a TypedDict's field says so, be it typing's or typing_extensions'."""
    name = getattr(typing.get_origin(hint), "_name", None)
    return name if name in {"Required", "NotRequired"} else None


def _field(cls: Any, name: str) -> tuple[bool, Any, str | None]:
    """Return whether a record's field is required, its default or MISSING, and its description."""
    if hasattr(cls, "__required_keys__"):
        return name in cls.__required_keys__, MISSING, None
    if isinstance(getattr(cls, "model_fields", None), dict):
        info = cls.model_fields[name]
        return info.is_required(), None if info.default is None else MISSING, info.description
    if is_pydantic_1(cls):
        field = cls.__fields__[name]
        return bool(field.required), None if field.default is None else MISSING, field.field_info.description
    if hasattr(cls, "_field_defaults"):
        return name not in cls._field_defaults, cls._field_defaults.get(name, MISSING), None
    found = {field.name: field for field in dataclasses.fields(cls)}[name]
    required = found.default is dataclasses.MISSING and found.default_factory is dataclasses.MISSING
    return required, found.default, found.metadata.get(DESCRIPTION)


def type_hints(obj: Any) -> dict[str, Any]:
    """Return the evaluated annotations of a class or function. Raises SchemaError naming one that isn't defined."""
    try:
        return typing.get_type_hints(obj, include_extras=True)
    except NameError as error:
        raise SchemaError(
            f"an annotation of {getattr(obj, '__name__', obj)} names {error.name!r}, "
            "which is not defined when the model runs",
            hint="Import it outside of `if TYPE_CHECKING:`.",
        ) from None
    except Exception as error:  # noqa: BLE001 - the annotation is the author's code, and Python evaluates it only now
        raise SchemaError(
            f"an annotation of {getattr(obj, '__name__', obj)} can't be evaluated: {error}"
        ) from None


def _dotted(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}"


def _show(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
