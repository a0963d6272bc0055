"""`Opaque`: a type the schema need not understand."""

from __future__ import annotations


class Opaque:
    """Mark a type as any JSON: `options: Annotated[SomeLibraryType, Opaque]`.

    The value arrives as JSON gave it; the schema describes it as an object.
    """

    __slots__ = ()
