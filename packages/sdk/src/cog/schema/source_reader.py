"""The reader of source files, used where the author's code must not run: at build, and to show a form."""

from __future__ import annotations

import ast
import os
from typing import Any

from cog.errors import NotInSourceError, SchemaError
from cog.input import MISSING, FieldInfo
from cog.schema import rules
from cog.schema.constants import Evaluator, UnknownError, plain, resolve
from cog.schema.literals import choices_to_json, to_json
from cog.schema.signature import Parameter, Signature, Traits
from cog.schema.source_annotations import AnnotationReader
from cog.schema.source_classes import Function, may_have_more, methods, unknown
from cog.schema.source_module import External, Local, Module, Project

REF_FORM = "Write it as file.py:Name, for example predict.py:Predictor."


def read_source(path: str | os.PathLike[str], ref: str, *, train: bool = False) -> Signature:
    """Read `ref` in the project folder `path`. Raises SchemaError naming file and line."""
    try:
        return _read(os.fspath(path), ref, train=train)
    except RecursionError:
        raise SchemaError(
            "is nested too deeply to be read", hint="Take the value apart.", path=ref.partition(":")[0]
        ) from None


def _read(root: str, ref: str, *, train: bool) -> Signature:
    file, colon, name = ref.partition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise SchemaError(f"{ref!r} is no reference to a predictor", hint=REF_FORM)
    module = Project(root).open(file)
    found = module.meaning(name)
    if isinstance(found, Local) and isinstance(found.node, ast.Call):  # predictor = Predictor()
        found = resolve(found.node.func, found.module)
    if not isinstance(found, Local) or isinstance(found.node, ast.expr):
        raise _not_found(module, name, found)
    scope, node, bound = found.module, found.node, False
    if isinstance(node, ast.ClassDef):
        scope, node, bound = _method(found.module, node, train=train)
    try:
        return _Reader(scope, node, bound=bound).signature()
    except SchemaError as error:
        raise error.at(scope.shown, node.lineno) from None


def _not_found(module: Module, name: str, found: Any) -> SchemaError:
    if isinstance(found, External):
        return NotInSourceError(
            f"{name} comes from {found.dotted}, which is not in the project",
            hint="Define the class or function in the project.",
            path=module.shown,
        )
    names = [key for key, node in module.names.items() if isinstance(node, (ast.ClassDef, *_FUNCTIONS))]
    there = f"It defines {', '.join(names)}." if names else "It defines no class or function."
    said = NotInSourceError if name in module.names or module.open else SchemaError
    return said(f"there is no class or function {name}", hint=there, path=module.shown)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _method(module: Module, node: ast.ClassDef, *, train: bool) -> tuple[Module, Function, bool]:
    """Return a class's function, where its names are looked up, and whether its first parameter is its instance."""
    found = methods(module, node)
    try:
        name = rules.choose_method(node.name, tuple(found), train=train)
    except SchemaError as error:
        if not found.keys() & set(rules.METHODS[train]) and may_have_more(module, node, rules.METHODS[train]):
            error = NotInSourceError(error.problem, hint=error.hint)
        raise error.at(module.shown, node.lineno) from None
    scope, function = found[name]
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in function.decorator_list)
    return scope, function, not static


_FLAGS = {External(f"cog.{name}"): name for name in ("streaming", "batched", "idempotent")}


class _Reader:
    """Reads one function."""

    def __init__(self, module: Module, node: Function, *, bound: bool) -> None:
        self._module = module
        self._node = node
        self._bound = bound
        self._annotations = AnnotationReader(module)

    def signature(self) -> Signature:
        node = self._node
        traits = self._traits()
        inputs = tuple(self._parameter(*pair, batched=traits.batched) for pair in self._pairs())
        if node.returns is None:
            raise rules.no_output(node.name)
        try:
            output = self._annotations.read(node.returns)
            output = rules.check_output(rules.single(output) if traits.batched else output)
        except SchemaError as error:
            raise error.within(f"output of {node.name}()") from None
        return rules.make_signature(
            node.name,
            inputs,
            output,
            is_async=isinstance(node, ast.AsyncFunctionDef),
            traits=traits,
        )

    def _pairs(self) -> list[tuple[ast.arg, ast.expr | None]]:
        """Return the parameters that are inputs, each with its default. Raises SchemaError for what can't be one."""
        arguments = self._node.args
        ordered = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(ordered) - len(arguments.defaults))
        pairs = list(zip(ordered, [*defaults, *arguments.defaults], strict=True))
        positional = len(arguments.posonlyargs)
        if self._bound:
            pairs, positional = pairs[1:], max(positional - 1, 0)
        if positional:
            raise self._place(rules.positional(self._node.name, pairs[0][0].arg), pairs[0][0])
        if arguments.vararg is not None:
            raise self._place(rules.starred(self._node.name, "*", arguments.vararg.arg), arguments.vararg)
        if arguments.kwarg is not None:
            raise self._place(rules.starred(self._node.name, "**", arguments.kwarg.arg), arguments.kwarg)
        return pairs + list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))

    def _parameter(self, argument: ast.arg, default: ast.expr | None, *, batched: bool) -> Parameter:
        if argument.annotation is None:
            raise self._place(rules.untyped(self._node.name, argument.arg), argument)
        try:
            kind = self._annotations.read(argument.annotation)
            kind = rules.single(kind) if batched else kind
            info = FieldInfo() if default is None else self.read_default(default)
            return rules.make_parameter(argument.arg, kind, info)
        except SchemaError as error:
            place = error.at(self._module.shown, argument.lineno)
            raise place.within(f"input {argument.arg!r}") from None

    def read_default(self, default: ast.expr) -> FieldInfo:
        """Return what a parameter's default says: a plain value, or a call of Input()."""
        module, default = described(self._module, default)
        if not _calls_input(module, default):
            return FieldInfo(default=self._value("default", default))
        assert isinstance(default, ast.Call)  # noqa: S101 - _calls_input says so
        if module is not self._module:
            return _Reader(module, self._node, bound=self._bound).read_default(default)
        said: dict[str, Any] = {}
        if default.args:
            said["default"] = self._value("default", default.args[0])
        for keyword in default.keywords:
            if keyword.arg == "default_factory":
                raise self._module.error(
                    keyword.value,
                    "Input() takes no default_factory, because the default is shown in the schema",
                    "Write a literal: Input(default=[…]).",
                )
            if keyword.arg is None or keyword.arg not in FieldInfo.NAMES:
                what = f"**{ast.unparse(keyword.value)}" if keyword.arg is None else keyword.arg
                problem = self._module.unknown if keyword.arg is None else self._module.error
                raise problem(
                    keyword.value,
                    f"Input() has no argument {what}",
                    f"It takes {', '.join(FieldInfo.NAMES)}.",
                )
            said[keyword.arg] = self._value(keyword.arg, keyword.value)
        return FieldInfo(**said)

    def _value(self, what: str, node: ast.expr) -> Any:
        """Return the value of one thing said of an input; the default and the choices as JSON."""
        if isinstance(node, ast.Constant) and node.value is ... and what == "default":
            return MISSING
        hints = {
            "default": "Write a literal, or default=None and make the value inside the function.",
            "choices": 'Write a literal list: choices=["a", "b"].',
        }
        try:
            value = plain(Evaluator(self._module).value(node))
        except UnknownError as error:
            # What stands in the signature is shown, not the part of it that could not be followed.
            shown = UnknownError(node, self._module) if error.module is self._module else error
            raise unknown(shown, f"the {what}", hints.get(what, "Write it as a literal.")) from None
        try:
            if what == "choices":
                return choices_to_json(value)
            return to_json(value) if what == "default" else value
        except SchemaError as error:
            raise error.at(self._module.shown, node.lineno) from None

    def _traits(self) -> Traits:
        said: dict[str, Any] = {}
        for mark in self._node.decorator_list:
            meaning = resolve(mark.func if isinstance(mark, ast.Call) else mark, self._module)
            if isinstance(meaning, External) and meaning in _FLAGS:
                said[_FLAGS[meaning]] = True
            elif isinstance(mark, ast.Call) and meaning == External("cog.concurrent"):
                values = [keyword.value for keyword in mark.keywords if keyword.arg == "max"]
                said["concurrency"] = int(self._value("max", values[0])) if values else None
        return Traits(**said)

    def _place(self, error: SchemaError, node: ast.AST) -> SchemaError:
        return error.at(self._module.shown, getattr(node, "lineno", None))


def described(module: Module, default: ast.expr) -> tuple[Module, ast.expr]:
    """Return the call of Input() that a default stands for, and where it is written; the default itself if for none.

    `INPUTS.seed`, `SEED` and `seed_input()`, whose body is `return Input(...)`, are how models share inputs.
    """
    if isinstance(default, (ast.Name, ast.Attribute)):
        found = resolve(default, module)
        if isinstance(found, Local) and not found.changed and isinstance(found.node, ast.Call):
            return (found.module, found.node) if _calls_input(found.module, found.node) else (module, default)
    elif isinstance(default, ast.Call) and not default.args and not default.keywords:
        found = resolve(default.func, module)
        if isinstance(found, Local) and isinstance(found.node, ast.FunctionDef):
            returned = _returned(found.node)
            if returned is not None and _calls_input(found.module, returned):
                return found.module, returned
    return module, default


def _calls_input(module: Module, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and resolve(node.func, module) == External("cog.Input")


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    """Return what a function without parameters returns, where that is all it does."""
    arguments = function.args
    if arguments.args or arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
        return None
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]  # the docstring
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
