"""The types a signature may use, as values. Classes of the author's appear by name and, when loaded, as `python`."""

from __future__ import annotations

from typing import Any, Union

from cog.schema.texts import NAMES
from cog.schema.value import Value


class Scalar(Value):
    """A JSON scalar: "string", "integer", "number" or "boolean"."""

    name: str


class FileType(Value):
    """A file. `form` is how Python sees it: "path" (cog.Path) or "file" (open), as an output also "image"."""

    form: str = "path"


class TextType(Value):
    """A text that Python sees as something else; `form` is JSON Schema's "date-time", "date", "time" or "uuid"."""

    form: str


class SecretType(Value):
    """A text that is not shown."""


class AnyType(Value):
    """Any JSON."""


class NullType(Value):
    """None and nothing else."""


class ObjectType(Value, apart=("python",)):
    """A JSON object whose values are all of one type, or of any when None. `python` is a coder for custom types."""

    values: Type | None = None
    python: Any = None


class ArrayType(Value):
    """A list. `form` is the Python class: "list", "tuple", "set", numpy's "ndarray" or torch's "tensor"."""

    items: Type
    form: str = "list"


class TupleType(Value):
    """A list of so many items, each of its own type."""

    members: tuple[Type, ...]


class IteratorType(Value):
    """An output that comes piece by piece; `concatenate` says that the pieces are one text."""

    items: Type
    concatenate: bool = False


class OptionalType(Value):
    """A value or None."""

    of: Type


class UnionType(Value):
    """One of several types; `union` puts them in order, and they are tried in it."""

    members: tuple[Type, ...]


class ChoiceType(Value, apart=("python",)):
    """One of a few scalars, from Literal, Enum or `choices`.

    `base` is what all of them are, None when they are mixed. `python` is the Enum class, when there is one.
    """

    values: tuple[str | int | float | bool, ...]
    base: Scalar | None
    python: Any = None


class Field(Value):
    """One field of a record."""

    name: str
    type: Type
    required: bool = True
    description: str | None = None


class RecordType(Value, apart=("python",)):
    """An object with named fields. `python` is the class; values of it are made by keyword."""

    name: str
    fields: tuple[Field, ...]
    python: Any = None


Type = Union[  # noqa: UP007 - `|` of classes with a forward reference fails on Python 3.10
    Scalar,
    FileType,
    TextType,
    SecretType,
    AnyType,
    NullType,
    ObjectType,
    ArrayType,
    TupleType,
    IteratorType,
    OptionalType,
    UnionType,
    ChoiceType,
    RecordType,
]

STRING = Scalar("string")
INTEGER = Scalar("integer")
NUMBER = Scalar("number")
BOOLEAN = Scalar("boolean")


def choice(values: tuple[Any, ...], *, base: Scalar | None = None, python: Any = None) -> ChoiceType:
    """Return the choice between `values`, without repeats; `base` is found from them unless given."""
    distinct = tuple({(type(value), value): value for value in values}.values())
    if base is None:
        kinds = {type(value) for value in distinct}
        if kinds <= {int, float} and float in kinds:
            base = NUMBER
        elif len(kinds) == 1:
            base = _BASES.get(kinds.pop())
    return ChoiceType(distinct, base, python)


_BASES = {str: STRING, int: INTEGER, float: NUMBER, bool: BOOLEAN}


def unwrap(kind: Type) -> Type:
    """Return the type without its Optional."""
    return kind.of if isinstance(kind, OptionalType) else kind


def optional(kind: Type) -> Type:
    """Return the type with None allowed."""
    return kind if isinstance(kind, (OptionalType, NullType, AnyType)) else OptionalType(kind)


def union(members: tuple[Type, ...]) -> Type:
    """Join members as Python's `|` does: flat, without repeats, None turned into Optional, Any taking all.

    The order is our own: Python takes unions of the same members for equal and hands out whichever it met first.
    """
    flat: list[Type] = []
    nullable = False
    for member in members:
        inner = member
        if isinstance(inner, OptionalType):
            nullable, inner = True, inner.of
        parts = inner.members if isinstance(inner, UnionType) else (inner,)
        for part in parts:
            if isinstance(part, NullType):
                nullable = True
            elif part not in flat:
                flat.append(part)
    if AnyType() in flat:
        return AnyType()
    if not flat:
        return NullType()
    ordered = sorted(flat, key=_rank)
    joined: Type = ordered[0] if len(ordered) == 1 else UnionType(tuple(ordered))
    return optional(joined) if nullable else joined


#: The narrower before the wider: 1 is an int before it is a float.
_RANKS: tuple[object, ...] = (
    ChoiceType,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TextType,
    STRING,
    SecretType,
    FileType,
    TupleType,
    ArrayType,
    RecordType,
    ObjectType,
)


def _rank(kind: Type) -> tuple[int, str]:
    place = kind if isinstance(kind, Scalar) else type(kind)
    return (_RANKS.index(place) if place in _RANKS else len(_RANKS)), describe(kind)


def describe(kind: Type) -> str:
    """Return the type as an author would write it."""
    if isinstance(kind, Scalar):
        return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[kind.name]
    if isinstance(kind, OptionalType):
        return f"Optional[{describe(kind.of)}]"
    if isinstance(kind, ArrayType):
        return f"{kind.form}[{describe(kind.items)}]"
    if isinstance(kind, TupleType):
        return f"tuple[{', '.join(map(describe, kind.members))}]"
    if isinstance(kind, TextType):
        return NAMES[kind.form]
    if isinstance(kind, IteratorType):
        return f"Iterator[{describe(kind.items)}]"
    if isinstance(kind, UnionType):
        return " | ".join(describe(member) for member in kind.members)
    if isinstance(kind, ObjectType):
        return "dict" if kind.values is None else f"dict[str, {describe(kind.values)}]"
    if isinstance(kind, ChoiceType):
        return f"Literal[{', '.join(repr(value) for value in kind.values)}]"
    if isinstance(kind, RecordType):
        return kind.name
    names = {FileType: "Path", SecretType: "Secret", AnyType: "Any", NullType: "None"}
    return names[type(kind)]
