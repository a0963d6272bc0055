"""`Secret`: a text that does not show itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Secret:
    """A secret input; it prints as stars. `get_secret_value()` returns the text."""

    __slots__ = ("_value",)

    def __init__(self, secret_value: str) -> None:
        """Hide `secret_value`."""
        self._value = secret_value

    def get_secret_value(self) -> str:
        """Return the text itself. Don't print it: logs are kept."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __str__(self) -> str:
        return "**********" if self._value else ""

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @classmethod
    def validate(cls, value: Any) -> Secret:
        """Return `value` as a Secret; what pydantic calls for a field of this type."""
        return value if isinstance(value, cls) else cls(str(value))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema  # type: ignore[import-not-found,unused-ignore]

        return core_schema.no_info_plain_validator_function(cls.validate)

    @classmethod
    def __get_validators__(cls) -> Iterator[Any]:  # pydantic 1 asks for these
        yield cls.validate
