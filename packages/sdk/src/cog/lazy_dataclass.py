"""Frozen dataclasses that cost little to define: what must be compiled for them is compiled when first needed.

Theory of operation: the standard library writes six methods of a frozen dataclass as source and compiles each when the
class is defined. A command defines a hundred such classes and makes instances of some. Here the standard library only
finds the fields, so that `fields`, `replace`, `asdict` and `match` work as ever; comparing, hashing, showing and
refusing to be changed are closures over the fields' names, and `__init__` is compiled for the first instance. To a type
checker this is the standard library's `dataclass`. Measured in docs/decisions/0048-what-a-command-compiles.md.
"""

from __future__ import annotations

import dataclasses
from dataclasses import FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def _dataclass(
    *, frozen: bool, kw_only: bool = False, slots: bool = False
) -> Callable[[type[Any]], type[Any]]:
    """Make a class a frozen dataclass, as the standard library's decorator does; it may have no `InitVar`."""
    if not frozen:
        raise TypeError("only frozen dataclasses are made here; use the standard library's for others")

    def made(cls: type[Any]) -> type[Any]:
        if any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:]):
            return dataclasses.dataclass(frozen=True, kw_only=kw_only, slots=slots)(cls)
        cls.__doc__ = cls.__doc__ or cls.__name__  # else it would be made from the signature, which is slow
        bare = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only, slots=slots)(cls)
        parameters = bare.__dataclass_params__  # what inherits from it looks there
        parameters.init = parameters.repr = parameters.eq = parameters.frozen = True
        own = dict(vars(bare))
        for name, method in _methods(bare, dataclasses.fields(bare), slots=slots).items():
            # Where a class has an __eq__ of its own, Python has set its __hash__ to None.
            if own.get(name) is None:
                setattr(bare, name, method)
        return bare

    return made


def _methods(
    cls: type[Any], fields: Sequence[dataclasses.Field[Any]], *, slots: bool
) -> dict[str, Callable[..., Any]]:
    names = {each.name for each in fields}
    shown = [each.name for each in fields if each.repr]
    value = _reader([each.name for each in fields if each.compare])
    key = _reader([each.name for each in fields if (each.compare if each.hash is None else each.hash)])

    def begin(self: Any, /, *given: Any, **named: Any) -> None:
        cls.__init__ = _compiled(cls, fields)  # from now on, every instance uses it
        cls.__init__(self, *given, **named)

    def equal(self: Any, other: object) -> Any:
        return value(self) == value(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(key(self))

    def show(self: Any) -> str:
        parts = ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])
        return f"{self.__class__.__qualname__}({parts})"

    def refuse(self: Any, name: str, new: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, new)

    def keep(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    def state(self: Any) -> list[Any]:
        return [getattr(self, each.name) for each in fields]

    def restore(self: Any, values: list[Any]) -> None:
        for each, one in zip(fields, values):  # noqa: B905 - as many as there are
            object.__setattr__(self, each.name, one)

    # Without a __dict__, copy and pickle would assign to what may not be assigned to.
    kept: dict[str, Callable[..., Any]] = {"__getstate__": state, "__setstate__": restore} if slots else {}
    kept |= {"__init__": begin, "__eq__": equal, "__hash__": hashed, "__repr__": show}
    return {**kept, "__setattr__": refuse, "__delattr__": keep}


def _reader(names: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    """Return what gives the values of attributes as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _compiled(cls: type[Any], fields: Sequence[dataclasses.Field[Any]]) -> Callable[..., None]:
    """Return `__init__`, which takes and sets the fields. Names with two underscores are no field's."""
    known: dict[str, Any] = {"__set__": object.__setattr__, "__missing__": dataclasses.MISSING}
    body = []
    for each in fields:
        known[f"__default__{each.name}"] = each.default
        known[f"__make__{each.name}"] = each.default_factory
        made = f"__make__{each.name}()"
        if each.init:
            value = each.name
            if each.default_factory is not dataclasses.MISSING:
                value = f"{made} if {each.name} is __missing__ else {each.name}"
        elif each.default_factory is not dataclasses.MISSING:
            value = made
        elif each.default is not dataclasses.MISSING:
            value = f"__default__{each.name}"
        else:
            continue
        body.append(f"__set__(__self__, {each.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("__self__.__post_init__()")
    placed = [_parameter(each) for each in fields if each.init and not each.kw_only]
    named = [_parameter(each) for each in fields if each.init and each.kw_only]
    parameters = ["__self__", *placed, *(["*", *named] if named else [])]
    lines = "".join(f"\n    {line}" for line in body or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):{lines}", known)  # noqa: S102 - names of fields, as the standard library does
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=__default__{field.name}"
    return field.name if field.default_factory is dataclasses.MISSING else f"{field.name}=__missing__"


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - for others to import
else:
    dataclass = _dataclass
