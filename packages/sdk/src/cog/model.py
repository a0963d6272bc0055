"""`BaseModel`: an output (or input) with named fields."""

from __future__ import annotations

import dataclasses
import sys

from cog.input import MISSING, FieldInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    if sys.version_info >= (3, 11):
        from typing import dataclass_transform
    else:
        from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_options):  # noqa: ANN003, ANN201, D103 - a stand-in for type checkers' own
        return lambda cls: cls


#: Where a field's description is kept in its metadata.
DESCRIPTION = "cog.description"


@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
class BaseModel:
    """Subclass it with annotated fields and make values by name: `Output(text="a", score=0.5)`.

    Subclasses become dataclasses whose fields are given by keyword; a field with a default may be left out.
    """

    def __init_subclass__(cls, *, auto_dataclass: bool = True, **options: Any) -> None:
        """Turn the subclass into a dataclass; `auto_dataclass=False` leaves that to the author."""
        super().__init_subclass__()
        if not auto_dataclass:
            return
        for name in _annotated(cls):
            default = cls.__dict__.get(name, MISSING)
            said: Any = {}
            if isinstance(default, FieldInfo):
                said = {"metadata": {DESCRIPTION: default.description}}
                default = default.default
            if isinstance(default, (list, dict, set)):
                setattr(cls, name, dataclasses.field(default_factory=default.copy, **said))
            elif said:
                given = {} if default is MISSING else {"default": default}
                setattr(cls, name, dataclasses.field(**given, **said))
        dataclasses.dataclass(kw_only=True, **options)(cls)


def _annotated(cls: type) -> tuple[str, ...]:
    """Return the names of the class's own annotations, without evaluating them where Python does that late."""
    if sys.version_info >= (3, 14):
        import annotationlib  # type: ignore[import-not-found,unused-ignore]

        return tuple(annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF))
    return tuple(cls.__dict__.get("__annotations__", ()))  # noqa: RUF063 - above is the newer way
