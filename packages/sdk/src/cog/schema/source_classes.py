"""Classes in source files: which kind they are, and what they hold."""

from __future__ import annotations

import ast
from typing import Any

from cog.errors import SchemaError
from cog.schema.constants import Evaluator, Member, UnknownError, plain, resolve
from cog.schema.source_module import External, Local, Module

_ENUMS = frozenset({"enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.ReprEnum"})
_RECORDS = frozenset(
    {"cog.BaseModel", "pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.v1.BaseModel"}
)
_TUPLES = frozenset({"typing.NamedTuple"})
_DICTS = frozenset({"typing.TypedDict", "typing_extensions.TypedDict"})
_DATACLASSES = frozenset({"dataclasses.dataclass", "pydantic.dataclasses.dataclass", "attr.dataclass"})
_PYDANTIC_FIELDS = frozenset({"pydantic.Field", "pydantic.fields.Field", "pydantic.v1.Field"})
_FIELD_CALLS = _PYDANTIC_FIELDS | {"dataclasses.field", "cog.Input"}
#: Calls whose first argument by position is the default.
_DEFAULT_FIRST = _PYDANTIC_FIELDS | {"cog.Input"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def bases(module: Module, node: ast.ClassDef) -> list[External | Local]:
    """Return what a class inherits from, nearest first, itself not among them; generic parameters are left out."""
    found: list[External | Local] = []
    for base in node.bases:
        named = base.value if isinstance(base, ast.Subscript) else base
        meaning = resolve(named, module)
        if isinstance(meaning, Local) and isinstance(meaning.node, ast.ClassDef):
            inherited = [] if meaning.node is node else bases(meaning.module, meaning.node)
            found.extend((meaning, *inherited))
        elif isinstance(meaning, External):
            found.append(meaning)
        else:
            found.append(External(f"builtins.{ast.unparse(named)}"))
    return found


def outside(module: Module, node: ast.ClassDef) -> frozenset[str]:
    """Return the dotted names of the classes of other packages that a class inherits from."""
    return frozenset(base.dotted for base in bases(module, node) if isinstance(base, External))


def is_enum(module: Module, node: ast.ClassDef) -> bool:
    """Say whether a class is an Enum."""
    return not _ENUMS.isdisjoint(outside(module, node))


def enum_members(module: Module, node: ast.ClassDef) -> list[Member] | None:
    """Return an Enum's members, or None when the class is none. Raises UnknownError for a value that isn't plain."""
    kinds = outside(module, node)
    if _ENUMS.isdisjoint(kinds):
        return None
    members: list[Member] = []
    scope = module.inside(node)
    for statement in node.body:
        target, value = _assigned(statement)
        if target is None or value is None or target.startswith("_"):
            continue
        if isinstance(value, ast.Call) and _dotted(value.func, scope) == "enum.auto":
            found: Any = target.lower() if "enum.StrEnum" in kinds else _next(members)
        else:
            found = plain(Evaluator(scope, {member.name: member for member in members}).value(value))
        if all(member.value != found for member in members):  # an equal value is another name for the first
            members.append(Member(target, found))
    return members


def is_record(module: Module, node: ast.ClassDef) -> bool:
    """Say whether a class is an object with named fields."""
    kinds = outside(module, node)
    if not (_RECORDS | _TUPLES | _DICTS).isdisjoint(kinds):
        return True
    own = [Local(module, node), *(base for base in bases(module, node) if isinstance(base, Local))]
    return any(_is_dataclass(cls) for cls in own)


def record_fields(
    module: Module, node: ast.ClassDef
) -> list[tuple[Module, str, ast.expr, bool, Any, str | None]]:
    """Return a record's fields, inherited ones first.

    Each as (where its annotation is to be read, name, annotation, required, default None?, description).
    """
    typed_dict = not _DICTS.isdisjoint(outside(module, node))
    found: dict[str, tuple[Module, str, ast.expr, bool, Any, str | None]] = {}
    own = [Local(module, node), *(base for base in bases(module, node) if isinstance(base, Local))]
    for cls in reversed(own):
        assert isinstance(cls.node, ast.ClassDef)  # noqa: S101 - bases() gives classes
        scope = cls.module.inside(cls.node)
        total = not any(
            keyword.arg == "total"
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value is False
            for keyword in cls.node.keywords
        )
        for statement in cls.node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            name = statement.target.id
            if name.startswith("_") or _is_class_variable(statement.annotation, scope):
                continue
            required, nothing, description = _default(statement.value, scope)
            required = total if typed_dict else required
            found[name] = (scope, name, statement.annotation, required, nothing, description)
    return list(found.values())


def methods(module: Module, node: ast.ClassDef) -> dict[str, tuple[Module, Function]]:
    """Return a class's methods by name, its own before inherited ones."""
    found: dict[str, tuple[Module, Function]] = {}
    own = [Local(module, node), *(base for base in bases(module, node) if isinstance(base, Local))]
    for cls in own:
        assert isinstance(cls.node, ast.ClassDef)  # noqa: S101 - bases() gives classes
        scope = cls.module.inside(cls.node)
        for name, binding in scope.names.items():
            if isinstance(binding, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.setdefault(name, (scope, binding))
    return found


def may_have_more(module: Module, node: ast.ClassDef, names: tuple[str, ...]) -> bool:
    """Say whether a class may have a method that its source does not show: a value in its body, or inherited."""
    given = module.inside(node).names
    others = outside(module, node) - {"cog.BasePredictor", "cog.BaseRunner", "builtins.object", "abc.ABC"}
    return any(name in given for name in names) or any(not base.startswith("builtins.") for base in others)


def _default(value: ast.expr | None, scope: Module) -> tuple[bool, bool, str | None]:
    """Return whether a field without/with this default is required, whether it is None, and a description."""
    if value is None:
        return True, False, None
    if not isinstance(value, ast.Call):
        return False, _is_none(value), None
    dotted = _dotted(value.func, scope)
    if dotted not in _FIELD_CALLS:
        return False, False, None
    said = {keyword.arg: keyword.value for keyword in value.keywords}
    default = said.get("default")
    if default is None and value.args and dotted in _DEFAULT_FIRST:
        default = value.args[0]
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    description = _text(said.get("description"), scope) if dotted != "dataclasses.field" else None
    required = default is None and "default_factory" not in said
    return required, default is not None and _is_none(default), description


def _text(node: ast.expr | None, scope: Module) -> str | None:
    if node is None:
        return None
    try:
        found = Evaluator(scope).value(node)
    except UnknownError as error:
        raise unknown(error, "the description") from None
    return found if isinstance(found, str) else None


def unknown(error: UnknownError, what: str, hint: str = "Write it as a literal.") -> SchemaError:
    """Return the error to show for a value that can't be known."""
    return error.module.unknown(
        error.node, f"{what} `{ast.unparse(error.node)}` is not known before the code runs", hint
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_class_variable(annotation: ast.expr, scope: Module) -> bool:
    named = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return _dotted(named, scope) in {"typing.ClassVar", "typing_extensions.ClassVar"}


def _is_dataclass(cls: Local) -> bool:
    assert isinstance(cls.node, ast.ClassDef)  # noqa: S101 - bases() gives classes
    return any(
        _dotted(mark.func if isinstance(mark, ast.Call) else mark, cls.module) in _DATACLASSES
        for mark in cls.node.decorator_list
    )


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None, None
    return (target.id, statement.value) if isinstance(target, ast.Name) else (None, None)


def _dotted(node: ast.expr, scope: Module) -> str:
    meaning = resolve(node, scope)
    return meaning.dotted if isinstance(meaning, External) else ""


def _next(members: list[Member]) -> int:
    numbers = [member.value for member in members if isinstance(member.value, int)]
    return max(numbers, default=0) + 1
