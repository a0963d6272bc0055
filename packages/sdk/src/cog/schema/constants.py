"""Values that can be known without running the code: literals, and what is plainly made of them."""

from __future__ import annotations

import ast
import operator
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from cog.schema.source_module import External, Local, Meaning, Module
from cog.schema.value import Value

#: Nothing longer is worth writing into a schema, and a build must not be kept busy by `range(10**9)`.
LONGEST = 10_000
DEEPEST = 60


class UnknownError(Exception):
    """The value of `node` shows only when the code runs."""

    def __init__(self, node: ast.AST, module: Module) -> None:
        super().__init__(ast.unparse(node))
        self.node = node
        self.module = module


class Member(Value):
    """A member of an Enum."""

    name: str
    value: Any


class Members(dict[str, Member]):
    """An Enum: its members by name."""


class _Later:
    """A value in a dict that is not known; an error only where it is needed, since often only the keys are."""

    def __init__(self, error: UnknownError) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


def plain(value: Any) -> Any:
    """Return a value with members of an Enum replaced by what they stand for. Raises UnknownError."""
    if isinstance(value, _Later):
        raise value.error
    if isinstance(value, Member):
        return plain(value.value)
    if isinstance(value, Members):
        return [plain(member) for member in value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_CALLS: dict[str, Callable[..., Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "sorted": sorted,
    "reversed": lambda value: list(reversed(value)),
    "range": lambda *bounds: list(range(*bounds)),
    "len": len,
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
    "sum": sum,
}
_METHODS: dict[type, frozenset[str]] = {
    dict: frozenset({"keys", "values", "items", "get", "copy"}),
    list: frozenset({"copy", "index", "count"}),
    str: frozenset({"split", "lower", "upper", "title", "capitalize", "strip", "join", "replace", "format"}),
}
_PATHS = frozenset({"cog.Path", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"})


class Evaluator:
    """Evaluates expressions of one module; `names` are the variables of a comprehension around them."""

    def __init__(self, module: Module, names: Mapping[str, Any] | None = None, depth: int = 0) -> None:
        self._module = module
        self._names = names or {}
        self._depth = depth

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression. Raises UnknownError."""
        if self._depth > DEEPEST:
            raise UnknownError(node, self._module)
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise UnknownError(node, self._module)
        try:
            found = method(node)
        except UnknownError:
            raise
        except Exception:  # noqa: BLE001 - 1/0, "a" + 1: running the code would fail as well, and say it better
            raise UnknownError(node, self._module) from None
        if isinstance(found, _Later):
            raise found.error
        if isinstance(found, (str, list, tuple, dict, set)) and len(found) > LONGEST:
            raise UnknownError(node, self._module)
        return found

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _list(self, node: ast.List) -> Any:
        return self._elements(node.elts)

    def _tuple(self, node: ast.Tuple) -> Any:
        return tuple(self._elements(node.elts))

    def _set(self, node: ast.Set) -> Any:
        return set(self._elements(node.elts))

    def _elements(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found.extend(self.value(node.value))
            else:
                found.append(self.value(node))
        return found

    def _dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self.value(value))
            else:
                try:
                    found[self.value(key)] = self.value(value)
                except UnknownError as error:
                    found[self.value(key)] = _Later(error)
        return found

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self.value(node.operand))

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        large = isinstance(node.op, (ast.Pow, ast.LShift)) and abs(right) > 64
        if large or (isinstance(node.op, ast.Mult) and _repeats(left, right)):
            raise UnknownError(node, self._module)
        if isinstance(left, pathlib.PurePath) and isinstance(node.op, ast.Div):
            return left / right
        return _BINARY[type(node.op)](plain(left), plain(right))

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _joinedstr(self, node: ast.JoinedStr) -> Any:
        return "".join(self.value(part) for part in node.values)

    def _formattedvalue(self, node: ast.FormattedValue) -> Any:
        spec = self.value(node.format_spec) if node.format_spec is not None else ""
        value = self.value(node.value)
        if isinstance(value, Member):
            raise UnknownError(node, self._module)  # how an Enum prints depends on Python's version
        return format(repr(value) if node.conversion == ord("r") else value, spec)

    def _subscript(self, node: ast.Subscript) -> Any:
        return self.value(node.value)[self.value(node.slice)]

    def _slice(self, node: ast.Slice) -> Any:
        lower, upper, step = (
            None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)
        )
        return slice(lower, upper, step)

    def _name(self, node: ast.Name) -> Any:
        if node.id in self._names:
            return self._names[node.id]
        return self._known(node, self._module.meaning(node.id))

    def _attribute(self, node: ast.Attribute) -> Any:
        meaning = resolve(node, self._module) if _is_dotted(node, self._names) else None
        if isinstance(meaning, Local):
            return self._known(node, meaning)
        value = self.value(node.value)
        if isinstance(value, Member) and node.attr in {"name", "value"}:
            return getattr(value, node.attr)
        if isinstance(value, Members):
            return value[node.attr]
        raise UnknownError(node, self._module)

    def _known(self, node: ast.expr, meaning: Meaning) -> Any:
        if not isinstance(meaning, Local) or meaning.changed:
            raise UnknownError(node, self._module)
        if isinstance(meaning.node, ast.expr):
            return Evaluator(meaning.module, depth=self._depth + 1).value(meaning.node)
        if isinstance(meaning.node, ast.ClassDef):
            from cog.schema.source_classes import enum_members

            members = enum_members(meaning.module, meaning.node)
            if members is not None:
                return Members({member.name: member for member in members})
        raise UnknownError(node, self._module)

    def _call(self, node: ast.Call) -> Any:
        arguments = self._elements(node.args)
        options = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        if len(options) != len(node.keywords):
            raise UnknownError(node, self._module)
        meaning = resolve(node.func, self._module)
        if isinstance(meaning, External) and meaning.dotted in _PATHS:
            return pathlib.PurePosixPath(*arguments)
        if isinstance(meaning, External) and meaning.dotted == "cog.Secret":
            return arguments[0]
        if isinstance(meaning, Local) and isinstance(meaning.node, ast.ClassDef):
            by_value = {plain(member): member for member in self._known(node.func, meaning).values()}
            return by_value[plain(arguments[0])]
        if isinstance(node.func, ast.Name) and meaning is None and node.func.id in _CALLS:
            if node.func.id == "range" and any(abs(bound) > LONGEST for bound in arguments):
                raise UnknownError(node, self._module)
            return _CALLS[node.func.id](*(_members(argument) for argument in arguments), **options)
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if node.func.attr in _METHODS.get(type(owner), frozenset()):
                found = getattr(owner, node.func.attr)(*arguments, **options)
                return (
                    found if isinstance(found, (str, int)) else list(found) if type(owner) is dict else found
                )
        raise UnknownError(node, self._module)

    def _listcomp(self, node: ast.ListComp) -> Any:
        return [
            Evaluator(self._module, names, self._depth + 1).value(node.elt) for names in self._rounds(node)
        ]

    def _setcomp(self, node: ast.SetComp) -> Any:
        return {
            Evaluator(self._module, names, self._depth + 1).value(node.elt) for names in self._rounds(node)
        }

    def _generatorexp(self, node: ast.GeneratorExp) -> Any:
        return [
            Evaluator(self._module, names, self._depth + 1).value(node.elt) for names in self._rounds(node)
        ]

    def _dictcomp(self, node: ast.DictComp) -> Any:
        inner = [Evaluator(self._module, names, self._depth + 1) for names in self._rounds(node)]
        return {one.value(node.key): one.value(node.value) for one in inner}

    def _rounds(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> list[dict[str, Any]]:
        """Return the variables of each round of a comprehension's one loop."""
        if len(node.generators) != 1:
            raise UnknownError(node, self._module)
        loop = node.generators[0]
        rounds: list[dict[str, Any]] = []
        for item in _members(self.value(loop.iter)):
            names = {**self._names, **_unpack(loop.target, item)}
            inner = Evaluator(self._module, names, self._depth + 1)
            if all(inner.value(test) for test in loop.ifs):
                rounds.append(names)
            if len(rounds) > LONGEST:
                raise UnknownError(node, self._module)
        return rounds

    def _compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1:
            raise UnknownError(node, self._module)
        left, right = plain(self.value(node.left)), plain(self.value(node.comparators[0]))
        test = _COMPARE[type(node.ops[0])]
        return test(left, right)


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def resolve(node: ast.expr, module: Module) -> Meaning:
    """Return what a name or a dotted name stands for; None for Python's own names and everything unknown."""
    if isinstance(node, ast.Name):
        return module.meaning(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = resolve(node.value, module)
    if isinstance(owner, External):
        inner = module.project.module(f"{owner.dotted}.{node.attr}")
        return inner or External.named(f"{owner.dotted}.{node.attr}")
    if isinstance(owner, Module):
        return owner.meaning(node.attr)
    if isinstance(owner, Local) and isinstance(owner.node, ast.ClassDef):
        from cog.schema.source_classes import is_enum

        if is_enum(owner.module, owner.node):
            return None  # its members are values of their own kind, not what its body says
        return _attribute(owner, node.attr)
    if isinstance(owner, Local) and isinstance(owner.node, ast.Call) and not owner.changed:
        made = owner.node
        cls = None if made.args or made.keywords else resolve(made.func, owner.module)
        if isinstance(cls, Local) and isinstance(cls.node, ast.ClassDef) and not cls.node.bases:
            return _attribute(cls, node.attr, made=True)
    return None


def _attribute(cls: Local, name: str, *, made: bool = False) -> Meaning:
    """Return what the body of a class says of a name; of an instance, unless the class makes it in its own way."""
    assert isinstance(cls.node, ast.ClassDef)  # noqa: S101 - the caller looked
    body = cls.module.inside(cls.node)
    if name not in body.names or (
        made and not {"__init__", "__post_init__", "__new__"}.isdisjoint(body.names)
    ):
        return None
    return body.meaning(name)


def _members(value: Any) -> Any:
    """Return an Enum's members where it is walked through; anything else as it is."""
    if isinstance(value, Members):
        return list(value.values())
    return value


def _unpack(target: ast.expr, item: Any) -> dict[str, Any]:
    if isinstance(target, ast.Name):
        return {target.id: item}
    if isinstance(target, (ast.Tuple, ast.List)):
        found: dict[str, Any] = {}
        for element, part in zip(target.elts, item, strict=True):
            found.update(_unpack(element, part))
        return found
    raise TypeError


def _repeats(left: Any, right: Any) -> bool:
    """Say whether a product repeats a text or list beyond what a schema may hold."""
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
            return len(sequence) * times > LONGEST
    return False


def _is_dotted(node: ast.expr, names: Mapping[str, Any]) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id not in names
