"""A lazy dataclass behaves as the standard library's frozen one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any, ClassVar

import pytest
from cog import lazy_dataclass


@lazy_dataclass.dataclass(frozen=True, slots=True)
class Slotted:
    """Kept at the top, where pickle finds it."""

    name: str
    tags: tuple[str, ...] = ()


@lazy_dataclass.dataclass(frozen=True)
class Open:
    """The same with a dictionary."""

    name: str
    tags: tuple[str, ...] = ()


Decorator = Callable[..., Callable[[type], Any]]
both = pytest.mark.parametrize("make", [dataclass, lazy_dataclass.dataclass], ids=["standard", "lazy"])


@both
@pytest.mark.parametrize("slots", [False, True])
def test_fields_of_every_kind(make: Decorator, slots: bool) -> None:
    """Defaults, factories, keywords, hidden and computed fields mean what they mean in the standard library."""

    class Mixed:
        kind: ClassVar[str] = "mixed"
        first: int
        second: list[int] = field(default_factory=list)
        third: str = field(default="three", kw_only=True)
        hidden: str = field(default="secret", repr=False, compare=False)
        fixed: int = field(default=7, init=False)
        fresh: list[int] = field(default_factory=list, init=False, hash=False)

    mixed: Any = make(frozen=True, slots=slots)(Mixed)
    one = mixed(1, [2], third="x")
    assert (one.first, one.second, one.third, one.hidden, one.fixed) == (1, [2], "x", "secret", 7)
    assert mixed(1).second is not mixed(1).second
    assert mixed(1).fresh is not mixed(1).fresh
    assert one == mixed(1, [2], third="x", hidden="other")
    assert one != mixed(1, [2])
    name = mixed.__qualname__
    assert repr(one) == f"{name}(first=1, second=[2], third='x', fixed=7, fresh=[])"
    assert [each.name for each in dataclasses.fields(mixed)] == [
        *("first", "second", "third", "hidden", "fixed", "fresh")
    ]
    assert dataclasses.replace(one, first=5).first == 5
    assert mixed.kind == "mixed"
    assert mixed.__doc__
    for wrong in (mixed, lambda: mixed(1, unknown=2), lambda: mixed(1, [], "hidden", "third")):
        with pytest.raises(TypeError):
            wrong()


@both
@pytest.mark.parametrize("slots", [False, True])
def test_nothing_can_be_changed(make: Decorator, slots: bool) -> None:
    """Neither an old nor a new attribute can be set or removed."""

    class Value:
        number: int

    value: Any = make(frozen=True, slots=slots, kw_only=True)(Value)
    one = value(number=1)
    for name in ("number", "other"):
        # The standard library's, with slots, stumbles over a name that is no field (CPython 3.11).
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(one, name, 2)
        with pytest.raises((FrozenInstanceError, TypeError)):
            delattr(one, name)
    assert one.number == 1


@both
def test_equal_values_of_one_class_are_one_key(make: Decorator) -> None:
    """Equality and hashes go by class and fields; none, one or several."""

    class Empty:
        pass

    class Other:
        pass

    class Single:
        number: float

    empty, other, single = (make(frozen=True)(each) for each in (Empty, Other, Single))
    nan = float("nan")
    assert empty() == empty()
    assert empty() != other()
    assert {empty(), empty()} == {empty()}
    assert single(1) == single(1.0)
    assert single(nan) == single(nan)
    assert single(1) != 1
    assert len({single(1), single(1), single(2)}) == 2


@both
def test_methods_of_the_class_stay(make: Decorator) -> None:
    """What a class defines is not replaced, and `__post_init__` runs."""

    class Own:  # noqa: PLW1641 - a frozen dataclass makes the hash
        number: int

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("below zero")

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "mine"

    own: Any = make(frozen=True)(Own)
    assert own(1) == own(2)
    assert hash(own(1)) != hash(own(2))
    assert repr(own(1)) == "mine"
    with pytest.raises(ValueError, match="below"):
        own(-1)


@both
def test_classes_that_inherit(make: Decorator) -> None:
    """A dataclass may be the base of one, and a plain class that is built on one may have attributes of its own."""

    class Base:
        first: int

    base: Any = make(frozen=True, kw_only=True)(Base)

    class Derived(base):  # type: ignore[misc]  # a class, made above
        second: int

    derived: Any = make(frozen=True, kw_only=True)(Derived)

    class Plain(base):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            super().__init__(first=1)
            self.extra = 2

    assert derived(first=1, second=2) == derived(second=2, first=1)
    assert Plain().extra == 2
    with pytest.raises(FrozenInstanceError):
        Plain().first = 3
    assert derived(first=1, second=2).second == 2


@pytest.mark.parametrize("one", [Slotted("a", ("b",)), Open("a", ("b",))])
def test_copies_are_equal(one: Slotted | Open) -> None:
    """Values are copied and pickled, with slots or without."""
    assert copy.copy(one) == one
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own
    assert dataclasses.asdict(one) == {"name": "a", "tags": ("b",)}


def test_a_changeable_one_is_refused() -> None:
    """Only frozen dataclasses are made, so that none is left half-made in silence."""
    with pytest.raises(TypeError, match="frozen"):
        lazy_dataclass.dataclass(frozen=False)
