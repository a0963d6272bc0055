"""`Input`: the description of one input, written as a parameter's default."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class _Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


#: Stands for "no default was given", which None does not.
MISSING = _Missing()


class FieldInfo:
    """What `Input()` returns: the default and everything said about an input."""

    __slots__ = (
        "accept",
        "choices",
        "default",
        "deprecated",
        "description",
        "ge",
        "le",
        "max_length",
        "min_length",
        "regex",
    )

    #: The names `Input()` takes, in the order of its documentation.
    NAMES = (
        "default",
        "description",
        "ge",
        "le",
        "min_length",
        "max_length",
        "regex",
        "choices",
        "deprecated",
        "accept",
    )

    def __init__(
        self,
        *,
        default: Any = MISSING,
        description: str | None = None,
        ge: float | None = None,
        le: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        regex: str | None = None,
        choices: Sequence[Any] | None = None,
        deprecated: bool | None = None,
        accept: str | None = None,
    ) -> None:
        self.default = default
        self.description = description
        self.ge = ge
        self.le = le
        self.min_length = min_length
        self.max_length = max_length
        self.regex = regex
        self.choices = choices
        self.deprecated = deprecated
        self.accept = accept

    def __repr__(self) -> str:
        said = ((name, getattr(self, name)) for name in self.NAMES)
        shown = ", ".join(
            f"{name}={value!r}" for name, value in said if value is not None and value is not MISSING
        )
        return f"Input({shown})"


def Input(  # noqa: N802 - the name authors write, fixed by Cog
    default: Any = MISSING,
    *,
    default_factory: Any = None,
    description: str | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    regex: str | None = None,
    choices: Sequence[Any] | None = None,
    deprecated: bool | None = None,
    accept: str | None = None,
) -> Any:
    """Describe one input, in the place of a parameter's default.

    Without `default` the input is required; `default=None` makes it optional. `ge`/`le` bound a number, `min_length`,
    `max_length` and `regex` a text, `choices` lists the allowed values, `accept` names media types for a file.
    Raises TypeError for `default_factory`: a default is part of the schema, so it has to be a literal.
    """
    if default_factory is not None:
        raise TypeError(
            "Input() takes no default_factory, because the default is shown in the schema. "
            "Write a literal: Input(default=[...]); every prediction gets its own copy of it."
        )
    return FieldInfo(
        default=MISSING if default is ... else default,
        description=description,
        ge=ge,
        le=le,
        min_length=min_length,
        max_length=max_length,
        regex=regex,
        choices=choices,
        deprecated=deprecated,
        accept=accept,
    )
