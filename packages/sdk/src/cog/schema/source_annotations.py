"""Annotations in source files to types of the schema; the same types as `annotations` gives for loaded ones."""

from __future__ import annotations

import ast
from typing import Any

from cog.errors import SchemaError
from cog.schema import types as t
from cog.schema.constants import Evaluator, Member, UnknownError, plain, resolve
from cog.schema.literals import UNKNOWN_TYPE
from cog.schema.source_classes import enum_members, is_record, outside, record_fields, unknown
from cog.schema.source_module import External, Local, Module

_BUILTIN: dict[str, t.Type] = {
    "str": t.STRING,
    "int": t.INTEGER,
    "float": t.NUMBER,
    "bool": t.BOOLEAN,
    "object": t.AnyType(),
    "list": t.ArrayType(t.AnyType()),
    "tuple": t.ArrayType(t.AnyType(), "tuple"),
    "set": t.ArrayType(t.AnyType(), "set"),
    "frozenset": t.ArrayType(t.AnyType(), "set"),
    "dict": t.ObjectType(),
}
_EXTERNAL: dict[str, t.Type] = {
    "typing.Any": t.AnyType(),
    "typing.Text": t.STRING,
    "typing.IO": t.FileType("file"),
    "typing.BinaryIO": t.FileType("file"),
    "types.NoneType": t.NullType(),
    "cog.Path": t.FileType("path"),
    "cog.URLPath": t.FileType("path"),
    "cog.File": t.FileType("file"),
    "cog.URLFile": t.FileType("file"),
    "cog.Secret": t.SecretType(),
    "cog.Opaque": t.ObjectType(),
    "cog.ConcatenateIterator": t.IteratorType(t.STRING, concatenate=True),
    "cog.AsyncConcatenateIterator": t.IteratorType(t.STRING, concatenate=True),
    "pathlib.Path": t.FileType("path"),
    "pathlib.PosixPath": t.FileType("path"),
    "pathlib.PurePath": t.FileType("path"),
    "pathlib.PurePosixPath": t.FileType("path"),
    "io.IOBase": t.FileType("file"),
    "io.BufferedReader": t.FileType("file"),
    "io.BufferedIOBase": t.FileType("file"),
    "io.RawIOBase": t.FileType("file"),
    "io.BytesIO": t.FileType("file"),
    "PIL.Image.Image": t.FileType("image"),
    "numpy.ndarray": t.ArrayType(t.AnyType(), "ndarray"),
    "numpy.typing.NDArray": t.ArrayType(t.AnyType(), "ndarray"),
    "torch.Tensor": t.ArrayType(t.AnyType(), "tensor"),
    "datetime.datetime": t.TextType("date-time"),
    "datetime.date": t.TextType("date"),
    "datetime.time": t.TextType("time"),
    "uuid.UUID": t.TextType("uuid"),
}
_LISTS = frozenset({"list", "typing.List", "typing.Sequence", "typing.MutableSequence"})
_SETS = frozenset(
    {"set", "frozenset", "typing.Set", "typing.FrozenSet", "typing.AbstractSet", "typing.MutableSet"}
)
_DICTS = frozenset({"dict", "typing.Dict", "typing.Mapping", "typing.MutableMapping"})
_TUPLES = frozenset({"tuple", "typing.Tuple"})
_ITERATORS = frozenset(
    f"typing.{name}"
    for name in ("Iterator", "AsyncIterator", "Iterable", "AsyncIterable", "Generator", "AsyncGenerator")
)
_CONCATENATE = frozenset({"cog.ConcatenateIterator", "cog.AsyncConcatenateIterator"})
#: Names that mean the same wherever they come from.
_HOMES = {
    "typing_extensions": "typing",
    "collections.abc": "typing",
}


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class AnnotationReader:
    """Reads annotations of one module; `stack` holds the classes being read."""

    def __init__(self, module: Module, stack: tuple[ast.AST, ...] = ()) -> None:
        self._module = module
        self._stack = stack

    def read(self, node: ast.expr) -> t.Type:
        """Return the type an annotation stands for. Raises SchemaError with file and line."""
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return t.union((self.read(node.left), self.read(node.right)))
        if isinstance(node, ast.BoolOp) and isinstance(
            node.op, ast.Or
        ):  # Python takes the first for the type
            return self.read(next((each for each in node.values if not _is_nothing(each)), node.values[-1]))
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(node)
        raise self._strange(node)

    def _constant(self, node: ast.Constant) -> t.Type:
        if node.value is None:
            return t.NullType()
        if isinstance(node.value, str):
            try:
                inner = ast.parse(node.value.strip(), mode="eval").body
            except SyntaxError:
                raise self._strange(node) from None
            for part in ast.walk(inner):
                part.lineno = node.lineno  # type: ignore[attr-defined]
            return self.read(inner)
        raise self._strange(node)

    def _named(self, node: ast.Name | ast.Attribute) -> t.Type:
        meaning = resolve(node, self._module)
        if isinstance(meaning, Local):
            if isinstance(meaning.node, ast.ClassDef):
                return self._class(meaning.module, meaning.node, node)
            if isinstance(meaning.node, ast.expr) and not meaning.changed and meaning.node not in self._stack:
                return self._alias(meaning.module, meaning.node)
            raise self._strange(node)
        name = self._name(node)
        if name in _BUILTIN and not isinstance(meaning, External):
            return _BUILTIN[name]
        if name in _EXTERNAL:
            return _EXTERNAL[name]
        if name in _ITERATORS:
            return t.IteratorType(t.AnyType())
        for names, kind in (
            (_LISTS, _BUILTIN["list"]),
            (_SETS, _BUILTIN["set"]),
            (_DICTS, _BUILTIN["dict"]),
            (_TUPLES, _BUILTIN["tuple"]),
        ):
            if name in names:
                return kind
        if isinstance(meaning, External):
            raise self._module.unknown(
                node,
                f"{ast.unparse(node)} comes from another package, and what it holds is not known before the code runs",
                "Define it in the project, or write Annotated[…, cog.Opaque] for any JSON.",
            )
        if isinstance(node, ast.Name) and meaning is None:
            said = self._module.unknown if self._module.open else self._module.error
            raise said(node, f"{node.id} is not defined", UNKNOWN_TYPE)
        raise self._strange(node)

    def _alias(self, module: Module, node: ast.expr) -> t.Type:
        """Read `Style = Literal["a", "b"]` and `UserId = NewType("UserId", int)`."""
        reader = AnnotationReader(module, (*self._stack, node))
        if isinstance(node, ast.Call) and reader._name(node.func) == "typing.NewType" and len(node.args) == 2:
            return reader.read(node.args[1])
        if isinstance(node, ast.Call):
            raise module.error(
                node,
                f"the type `{ast.unparse(node)}` is not known before the code runs",
                "Write it as a class: `class Style(str, Enum): …`.",
            )
        return reader.read(node)

    def _subscript(self, node: ast.Subscript) -> t.Type:
        base = self._name(node.value)
        elements = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if base == "typing.Annotated":
            if any(self._is_opaque(mark) for mark in elements[1:]):
                return t.ObjectType()
            return self.read(elements[0])
        if base == "typing.Literal":
            return self._literal(elements)
        if base == "typing.Optional":
            return t.union((self.read(elements[0]), t.NullType()))
        if base == "typing.Union":
            return t.union(tuple(self.read(element) for element in elements))
        if base in {"typing.Required", "typing.NotRequired", "typing.Final"}:
            return self.read(elements[0])
        if base in _CONCATENATE:
            return t.IteratorType(self.read(elements[0]), concatenate=True)
        if base in _ITERATORS:
            return t.IteratorType(self.read(elements[0]))
        if base in _DICTS:
            return self._dict(node, elements)
        if base in _LISTS:
            return t.ArrayType(self.read(elements[0]))
        if base in _SETS:
            return t.ArrayType(self.read(elements[0]), "set")
        if base in _TUPLES:
            return self._tuple(elements)
        return (
            self._named(node.value)
            if isinstance(node.value, (ast.Name, ast.Attribute))
            else self.read(node.value)
        )

    def _dict(self, node: ast.expr, elements: list[ast.expr]) -> t.Type:
        if len(elements) == 2 and self.read(elements[0]) not in (t.STRING, t.AnyType()):
            raise self._module.error(
                node, f"{ast.unparse(node)}: the keys of a JSON object are texts", "Write dict[str, …]."
            )
        values = self.read(elements[1]) if len(elements) == 2 else t.AnyType()
        return t.ObjectType(None if values == t.AnyType() else values)

    def _tuple(self, elements: list[ast.expr]) -> t.Type:
        dots = [isinstance(element, ast.Constant) and element.value is ... for element in elements]
        members = tuple(
            self.read(element)
            for element, dot in zip(elements, dots, strict=True)
            if not dot and not (isinstance(element, ast.Tuple) and not element.elts)
        )
        if len(members) == 1 and dots[-1]:
            return t.ArrayType(members[0], "tuple")
        return t.TupleType(members)

    def _literal(self, elements: list[ast.expr]) -> t.Type:
        values: list[Any] = []
        nullable = False
        for element in elements:
            if isinstance(element, (ast.Subscript, ast.Name)):  # Literal[A, B] of other Literals
                inner = self.read(element)
                nullable = nullable or isinstance(inner, t.OptionalType)
                chosen = t.unwrap(inner)
                if isinstance(chosen, t.ChoiceType):
                    values.extend(chosen.values)
                    continue
            try:
                value = plain(Evaluator(self._module).value(element))
            except UnknownError as error:
                raise unknown(error, "the choice") from None
            if value is None:
                nullable = True
            elif isinstance(value, (str, int, float, bool)):
                values.append(value)
            else:
                raise self._module.error(
                    element, f"Literal[{value!r}] can't be written in JSON", "Use str, int or bool values."
                )
        if not values:
            return t.NullType()
        return t.optional(t.choice(tuple(values))) if nullable else t.choice(tuple(values))

    def _class(self, module: Module, node: ast.ClassDef, at: ast.expr) -> t.Type:
        if node in self._stack:
            raise self._module.error(
                at, f"{node.name} contains itself", "Write `dict` or `Any` for the inner one."
            )
        try:
            members = enum_members(module, node)
        except UnknownError as error:
            raise unknown(error, f"the value in {node.name}") from None
        if members is not None:
            return self._enum(module, node, members)
        kinds = outside(module, node)
        if kinds & {"cog.Path", "pathlib.Path", "pathlib.PosixPath"}:
            return t.FileType("path")
        if is_record(module, node):
            return self._record(module, node)
        raise module.error(node, f"{node.name} is no type the schema knows", UNKNOWN_TYPE)

    def _enum(self, module: Module, node: ast.ClassDef, members: list[Member]) -> t.Type:
        for member in members:
            if not isinstance(member.value, (str, int, float, bool)):
                raise module.error(
                    node,
                    f"{node.name}: the value {member.value!r} can't be written in JSON",
                    "Use str or int values.",
                )
        if not members:
            raise module.error(node, f"{node.name} has no members")
        return t.choice(tuple(member.value for member in members))

    def _record(self, module: Module, node: ast.ClassDef) -> t.Type:
        fields: list[t.Field] = []
        lenient = "cog.BaseModel" in outside(module, node)
        for scope, name, annotation, needed, nothing, description in record_fields(module, node):
            reader = AnnotationReader(scope, (*self._stack, node))
            mark = reader._name(annotation.value) if isinstance(annotation, ast.Subscript) else ""
            required = mark == "typing.Required" or (needed and mark != "typing.NotRequired")
            try:
                kind = reader.read(annotation)
            except SchemaError as error:
                raise error.within(f"{node.name}.{name}") from None
            if lenient and isinstance(kind, t.OptionalType):
                required = False  # as in BaseModel itself: what may be None may be left out
            fields.append(t.Field(name, t.optional(kind) if nothing else kind, required, description))
        return t.RecordType(node.name, tuple(fields))

    def _is_opaque(self, node: ast.expr) -> bool:
        return self._name(node.func if isinstance(node, ast.Call) else node) == "cog.Opaque"

    def _name(self, node: ast.expr) -> str:
        """Return the one name of something of another package or of Python's own, or an empty text."""
        meaning = resolve(node, self._module)
        if isinstance(meaning, External):
            home, _, name = meaning.dotted.rpartition(".")
            return f"{_HOMES.get(home, home)}.{name}"
        return node.id if isinstance(node, ast.Name) and meaning is None else ""

    def _strange(self, node: ast.AST) -> SchemaError:
        computed = isinstance(node, (ast.Call, ast.Name, ast.Attribute))
        said = self._module.unknown if computed else self._module.error
        return said(node, f"{ast.unparse(node)} is no type the schema knows", UNKNOWN_TYPE)
