"""Whether `file.py:Name` is there: read, never imported."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from cogyard.project.document import shorten
from cogyard.project.errors import Problem
from cogyard.project.places import place_of
from cogyard.project.suggest import did_you_mean
from cogyard.project.values import version_of


def check(ref: str, root: Path, python_version: str, at: Problem) -> Problem | None:
    """Return what is wrong with a reference, or None; `at` is a template with the place in cog.yaml."""
    file_name, _, name = ref.rpartition(":")
    path = place_of(root, file_name)
    if path is None or not path.is_relative_to(root.resolve()) or not path.is_file():
        return _missing(ref, root, path, at)
    try:
        return _check_name(ast.parse(path.read_bytes(), filename=file_name), name, file_name, at)
    except SyntaxError as error:
        if python_version and version_of(python_version)[:2] > sys.version_info[:2]:
            return None  # it may be newer syntax than ours: the model's own Python decides
        return Problem(
            file=file_name,
            line=error.lineno,
            column=error.offset,
            message=f"is not valid Python: {error.msg}",
        )
    except (OSError, ValueError) as error:
        return Problem(file=file_name, message=f"cannot be read: {getattr(error, 'strerror', None) or error}")


def _missing(ref: str, root: Path, path: Path | None, at: Problem) -> Problem:
    file_name = ref.rpartition(":")[0]
    if path is None:
        return at.saying(f"no file can be named `{shorten(file_name)}`", "The path counts from cog.yaml.")
    if not path.is_relative_to(root.resolve()):
        return at.saying(f"`{file_name}` is outside the project's folder")
    others = sorted(one.name for one in path.parent.glob("*.py")) if path.parent.is_dir() else []
    correct = f"Write it, or correct `{ref}`; the path counts from cog.yaml."
    return at.saying(f"there is no file `{file_name}`", did_you_mean(path.name, others) or correct)


def _check_name(tree: ast.Module, name: str, file_name: str, at: Problem) -> Problem | None:
    names, complete = _names(tree)
    if name in names or not complete:
        return None
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    hint = did_you_mean(name, names) or (f"Classes there are: {', '.join(classes)}." if classes else None)
    return at.saying(f"`{file_name}` has no `{name}`", hint)


def _names(tree: ast.Module) -> tuple[set[str], bool]:
    """Return the module's names and whether these are all (a star import may bring more)."""
    names: set[str] = set()
    complete = True
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                complete = complete and alias.name != "*"
                names.add(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        else:
            stack.extend(ast.iter_child_nodes(node))
    return names, complete
