"""Parsed source files of a project, and what the names in them stand for."""

from __future__ import annotations

import ast
import os
from typing import Union

from cog.errors import NotInSourceError, SchemaError
from cog.schema.value import Value


class External(Value):
    """A name of another package (or Python's own), such as "typing.Optional"."""

    dotted: str

    @classmethod
    def named(cls, dotted: str) -> External:
        """Return the thing under its usual name: `cog.types.Input`, where older Cog had it, is `cog.Input`."""
        home, _, name = dotted.rpartition(".")
        return cls(f"cog.{name}" if home.startswith("cog.") and _exports("cog", name) else dotted)


class Local(Value):
    """A definition in the project: a class, a function or the value of a name."""

    module: Module
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr
    #: Its value changes after it was written down, so that it can't be known.
    changed: bool = False


Meaning = Union["External", "Local", "Module", None]


class _Import(Value):
    """`import module as …` or, with `name`, `from module import name as …`."""

    module: str
    level: int
    name: str | None


_Binding = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr | _Import


class Module:
    """One file, or the body of a class in it. `shown` is its path as the project's owner knows it."""

    def __init__(
        self, project: Project, shown: str, package: tuple[str, ...], *, outer: Module | None = None
    ) -> None:
        """`outer` is where names are looked up that a class's body does not bind."""
        self.project, self.shown, self.package, self.outer = project, shown, package, outer
        self.names: dict[str, _Binding] = {}
        #: Names whose value changes after it was written down, so that it can't be known.
        self.changed: set[str] = set()
        self.stars: list[_Import] = []

    def inside(self, node: ast.ClassDef) -> Module:
        """Return the names as the body of a class sees them."""
        body = Module(self.project, self.shown, self.package, outer=self)
        _Collector(body).collect(node.body)
        return body

    def meaning(self, name: str, _asked: frozenset[tuple[int, str]] = frozenset()) -> Meaning:
        """Return what a name at the top of this module stands for; None when it is not bound there."""
        key = (id(self), name)
        if key in _asked:
            return None
        asked = _asked | {key}
        binding = self.names.get(name)
        if isinstance(binding, _Import):
            return self._imported(binding, asked)
        if binding is not None:
            return Local(self, binding, name in self.changed)
        for star in self.stars:
            found = self._imported(_Import(star.module, star.level, name), asked)
            if found is not None and not (isinstance(found, External) and not _exports(star.module, name)):
                return found
        return self.outer.meaning(name, asked) if self.outer is not None else None

    def _imported(self, binding: _Import, asked: frozenset[tuple[int, str]]) -> Meaning:
        dotted = binding.module
        if binding.level:
            base = self.package[: len(self.package) - binding.level + 1]
            dotted = ".".join((*base, dotted) if dotted else base)
        module = self.project.module(dotted)
        if binding.name is None:
            return module or External.named(dotted)
        if module is not None:
            found = module.meaning(binding.name, asked)
            if found is not None:
                return found
        inner = self.project.module(f"{dotted}.{binding.name}" if dotted else binding.name)
        if inner is not None:
            return inner
        return None if module is not None else External.named(f"{dotted}.{binding.name}")

    def error(self, node: ast.AST, problem: str, hint: str | None = None) -> SchemaError:
        """Return an error that names this file and the node's line."""
        return SchemaError(problem, hint=hint, path=self.shown, line=getattr(node, "lineno", None))

    def unknown(self, node: ast.AST, problem: str, hint: str | None = None) -> NotInSourceError:
        """Return the error of what only the running code tells."""
        return NotInSourceError(problem, hint=hint, path=self.shown, line=getattr(node, "lineno", None))

    @property
    def open(self) -> bool:
        """Whether names may come from another package by `from … import *`."""
        if self.outer is not None:
            return self.outer.open
        stars = [star for star in self.stars if star.module not in _KNOWN_STARS]
        return any(star.level == 0 and self.project.module(star.module) is None for star in stars)


class Project:
    """The source files of a project folder, parsed when they are first asked for."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._modules: dict[str, Module | None] = {}

    def open(self, file: str) -> Module:
        """Return the module in `file`, relative to the project and in it. Raises SchemaError."""
        if os.path.isabs(file) or os.path.normpath(file).startswith(os.pardir):
            raise SchemaError(
                f"{file} is outside of the project", hint="Name a file inside of it, such as predict.py."
            )
        path = os.path.realpath(os.path.join(self._root, file))
        if not os.path.isfile(path):
            raise SchemaError(
                f"there is no file {file} in {self._root}", hint="Correct the reference in cog.yaml."
            )
        return self._parse(path, file, tuple(os.path.dirname(os.path.normpath(file)).split(os.sep)))

    def module(self, dotted: str) -> Module | None:
        """Return the project's module of that name, or None when another package has it. Raises SchemaError."""
        if dotted not in self._modules:
            self._modules[dotted] = None
            parts = tuple(dotted.split("."))
            if parts[0] == "cog":  # in the worker, too, the SDK goes before a cog.py of the project
                return None
            base = os.path.join(*parts)
            for file, package in ((f"{base}.py", parts[:-1]), (os.path.join(base, "__init__.py"), parts)):
                path = os.path.join(self._root, file)
                if all(parts) and os.path.isfile(path):
                    self._modules[dotted] = self._parse(path, file, package)
                    break
        return self._modules[dotted]

    def _parse(self, path: str, shown: str, package: tuple[str, ...]) -> Module:
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read(), shown)
        except SyntaxError as error:
            raise SchemaError(f"is not valid Python: {error.msg}", path=shown, line=error.lineno) from None
        except (OSError, ValueError, MemoryError) as error:
            raise SchemaError(f"can't be read: {error}", path=shown) from None
        module = Module(self, shown, tuple(part for part in package if part))
        _Collector(module).collect(tree.body)
        return module


class _Collector:
    """Finds the names bound at the top of a file, in `if`, `try` and `with` as well."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def collect(self, body: list[ast.stmt], *, second: bool = False) -> None:
        """Bind every name; `second` (an else or except) doesn't replace what is there."""
        for statement in body:
            self._statement(statement, second=second)

    def _statement(self, node: ast.stmt, *, second: bool) -> None:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            self._bind(node.name, node, second=second)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, second=second)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value, second=second)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, node.value, second=second)
        elif isinstance(node, ast.AugAssign):
            self._augment(node)
        elif type(node).__name__ == "TypeAlias":
            self._assign(node.name, node.value, second=second)  # type: ignore[attr-defined]
        elif isinstance(node, (ast.If, ast.Try)):
            self.collect(node.body, second=second)
            for other in (getattr(handler, "body", []) for handler in getattr(node, "handlers", [])):
                self.collect(other, second=True)
            self.collect(node.orelse, second=isinstance(node, ast.If) or second)
            self.collect(getattr(node, "finalbody", []), second=second)
        elif isinstance(node, ast.With):
            self.collect(node.body, second=second)
        elif isinstance(node, (ast.For, ast.While, ast.Expr, ast.Delete)):
            self._mark_changes(node)

    def _bind(self, name: str, binding: _Binding, *, second: bool) -> None:
        if not (second and name in self._module.names):
            self._module.names[name] = binding

    def _import(self, node: ast.Import | ast.ImportFrom, *, second: bool) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                # `import a.b` binds a; `import a.b as c` binds a.b.
                bound = alias.asname or alias.name.partition(".")[0]
                full = alias.name if alias.asname else bound
                self._bind(bound, _Import(full, 0, None), second=second)
            elif alias.name == "*":
                self._module.stars.append(_Import(node.module or "", node.level, None))
            else:
                found = _Import(node.module or "", node.level, alias.name)
                self._bind(alias.asname or alias.name, found, second=second)

    def _assign(self, target: ast.expr, value: ast.expr, *, second: bool) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value, second=second)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            for index, element in enumerate(target.elts):
                if len(values) == len(target.elts):
                    self._assign(element, values[index], second=second)
                elif isinstance(element, ast.Name):
                    self._module.changed.add(element.id)
        else:
            self._mark_changes(target)

    def _augment(self, node: ast.AugAssign) -> None:
        before = self._module.names.get(node.target.id) if isinstance(node.target, ast.Name) else None
        if isinstance(node.target, ast.Name) and isinstance(before, ast.expr):
            joined = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
            self._module.names[node.target.id] = joined
        else:
            self._mark_changes(node.target)

    def _mark_changes(self, node: ast.AST) -> None:
        """Note names whose value may change in this code: `NAMES.append(…)`, `NAMES["x"] = …`, a loop over them."""
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Attribute, ast.Subscript)) and isinstance(inner.value, ast.Name):
                self._module.changed.add(inner.value.id)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, (ast.Store, ast.Del)):
                self._module.changed.add(inner.id)


_KNOWN_STARS = frozenset({"cog", "typing", "typing_extensions"})


def _exports(module: str, name: str) -> bool:
    """Say whether `from module import *` brings this name, for the modules authors do that with."""
    if module == "cog":
        import cog

        return name in cog.__all__
    if module in {"typing", "typing_extensions"}:
        import typing

        return name in typing.__all__
    return False
