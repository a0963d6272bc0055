"""`Coder`: how a type of one's own is written as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Coder:
    """Subclass it, define `factory`, `encode` and `decode`, and call `Coder.register(YourCoder)`.

    Values of the type cross as JSON objects.
    """

    factories: ClassVar[list[type[Coder]]] = []

    @staticmethod
    def register(coder: type[Coder]) -> None:
        """Ask `coder.factory` for every type no one else knows, the latest registered first."""
        if coder not in Coder.factories:
            Coder.factories.append(coder)

    @staticmethod
    def lookup(kind: Any) -> Coder | None:
        """Return a coder for the type `kind`, or None."""
        for coder in reversed(Coder.factories):
            found = coder.factory(kind)
            if found is not None:
                return found
        return None

    @staticmethod
    def factory(kind: Any) -> Coder | None:
        """Return a coder when this class knows the type `kind`, else None."""
        raise NotImplementedError

    def encode(self, value: Any) -> dict[str, Any]:
        """Return `value` as a JSON object."""
        raise NotImplementedError

    def decode(self, value: dict[str, Any]) -> Any:
        """Return the value that `encode` wrote."""
        raise NotImplementedError


#: Older Cog took these types only where one of these names was imported; here they are taken always.
dataclass_coder = json_coder = pydantic_coder = set_coder = None
