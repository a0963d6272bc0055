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

    Subclasses become dataclasses whose fields are given by keyword; a field with a default may be left out, and so
    may one that can be None.
    """

    def __init_subclass__(cls, *, auto_dataclass: bool = True, **options: Any) -> None:
        """Turn the subclass into a dataclass; `auto_dataclass=False` leaves that to the author."""
        super().__init_subclass__()
        if not auto_dataclass:
            return
        for name, annotation in _annotated(cls).items():
            default = cls.__dict__.get(name, MISSING)
            said: Any = {}
            if isinstance(default, FieldInfo):
                said = {"metadata": {DESCRIPTION: default.description}}
                default = default.default
            if default is MISSING and may_be_none(annotation):
                default = None
            if isinstance(default, (list, dict, set)):
                setattr(cls, name, dataclasses.field(default_factory=default.copy, **said))
            elif said or default is None:
                given = {} if default is MISSING else {"default": default}
                setattr(cls, name, dataclasses.field(**given, **said))
        dataclasses.dataclass(kw_only=True, **options)(cls)

    @classmethod
    def update_forward_refs(cls, **_names: Any) -> None:
        """Do nothing: it was needed while this was a model of pydantic, and models written then call it."""

    @classmethod
    def model_rebuild(cls, **_options: Any) -> None:
        """Do nothing; the newer name of `update_forward_refs`."""

    if not TYPE_CHECKING:
        # No methods, because a field may have one of these names.
        def __getattr__(self, name):  # noqa: ANN001, ANN204 - not for type checkers
            if name in ("dict", "model_dump"):
                return lambda: _plain(self)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _plain(value: Any) -> Any:
    """Return a value with the models in it as dicts, as the `.dict()` of pydantic's models does."""
    if isinstance(value, BaseModel):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}  # type: ignore[arg-type]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def may_be_none(annotation: Any) -> bool:
    """Say whether an annotation allows None, be it evaluated or text."""
    if not isinstance(annotation, str):
        return type(None) in getattr(annotation, "__args__", ()) and _is_union(annotation)
    import ast

    try:
        return _allows_none(ast.parse(annotation, mode="eval").body)
    except SyntaxError:
        return False


def _is_union(annotation: Any) -> bool:
    import types
    import typing

    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _allows_none(node: Any) -> bool:
    """Say whether the text of an annotation is a union with None."""
    import ast

    if isinstance(node, ast.BinOp):
        return any(_is_nothing(part) or _allows_none(part) for part in (node.left, node.right))
    if not isinstance(node, ast.Subscript):
        return False
    name = ast.unparse(node.value).rpartition(".")[2]
    members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return name == "Optional" or (name == "Union" and any(map(_is_nothing, members)))


def _is_nothing(node: Any) -> bool:
    return getattr(node, "value", ...) is None


def _annotated(cls: type) -> dict[str, Any]:
    """Return the class's own annotations by name, without evaluating them where Python does that late."""
    if sys.version_info >= (3, 14):
        import annotationlib  # type: ignore[import-not-found,unused-ignore]

        found = annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
        return {name: getattr(said, "__forward_arg__", said) for name, said in found.items()}
    return dict(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063 - above is the newer way
