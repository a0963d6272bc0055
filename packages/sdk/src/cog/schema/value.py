"""`Value`: the base of the reader's own values, as `dataclass(frozen=True)` would make them.

Why not that: it writes the methods of each class as source and compiles them, half a millisecond for each of twenty
classes, whenever a worker starts or an edit is pushed. These classes share methods that are compiled once.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn

    if sys.version_info >= (3, 11):
        from typing import dataclass_transform
    else:
        from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_options):  # noqa: ANN003, ANN201, D103 - a stand-in for type checkers' own
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Value:
    """Subclass it with annotated fields; a field with a value in the class may be left out.

    Values are made by position or by name, never change, and are equal when class and fields are: all of them but those
    that the subclass names in `apart`.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _needed: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, apart: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        names = tuple(cls.__annotations__)
        cls._fields = names
        cls._compared = tuple(name for name in names if name not in apart)
        cls._needed = frozenset(name for name in names if name not in vars(cls))

    def __init__(self, *values: Any, **named: Any) -> None:
        names = self._fields
        given = dict(zip(names, values))  # noqa: B905 - the lengths are compared below, with all else
        if len(given) < len(values) or not given.keys().isdisjoint(named) or not named.keys() <= {*names}:
            raise TypeError(
                f"{type(self).__name__} has the fields {', '.join(names) or 'of none'}, each once"
            )
        given.update(named)
        if not given.keys() >= self._needed:
            missing = ", ".join(name for name in names if name in self._needed and name not in given)
            raise TypeError(f"{type(self).__name__} is made without {missing}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} is never set again")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} is never taken away")

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._compared)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"
