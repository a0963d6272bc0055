"""From `predict.py:Predictor` to the object it names, by running the author's file."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from typing import Any

from cog.errors import LoadError

REF_FORM = "Write it as file.py:Name, for example predict.py:Predictor."


def split_ref(ref: str) -> tuple[str, str]:
    """Return the file and the name of a reference. Raises LoadError."""
    file, colon, name = ref.partition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise LoadError(f"{ref!r} is no reference to a predictor. {REF_FORM}")
    return file, name


def load(ref: str, project: str) -> Any:
    """Run the file of `ref` in the project folder and return what the name stands for. Raises LoadError.

    Whatever the author's code raises goes through.
    """
    file, name = split_ref(ref)
    module = run_file(file, project, f"{ref!r}: ")
    try:
        return getattr(module, name)
    except AttributeError:
        names = [key for key, value in vars(module).items() if _is_candidate(value, module.__name__)]
        there = f"It defines {', '.join(names)}." if names else "It defines no class or function."
        raise LoadError(f"{ref!r}: {file} has no {name}. {there}") from None


def run_file(file: str, project: str, whose: str = "") -> Any:
    """Run a file of the project folder and return its module; `whose` begins the messages of LoadError.

    Raises LoadError, and whatever the file's code raises.
    """
    if os.path.isabs(file) or os.path.normpath(file).startswith(os.pardir):
        raise LoadError(f"{whose}{file} is outside of the project {project}")
    path = os.path.realpath(os.path.join(project, file))
    if not os.path.isfile(path):
        raise LoadError(f"{whose}there is no file {file} in {project}")
    return _run(path, file)


def _run(path: str, file: str) -> Any:
    """Import the file under the name it would have by `import`, so that other modules importing it find this one."""
    dotted = os.path.normpath(file)[: -len(".py")].replace(os.sep, ".")
    parent, _, _ = dotted.rpartition(".")
    importable = all(part.isidentifier() for part in dotted.split("."))
    if not importable or dotted in sys.modules or dotted in sys.stdlib_module_names:
        # A file called json.py or types.py: loaded, but not in the way of the module everybody else means.
        dotted, parent = f"_cog_{dotted.rpartition('.')[2]}", ""
    elif parent:
        importlib.import_module(parent)
    spec = importlib.util.spec_from_file_location(dotted, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{file} is not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[dotted] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(dotted, None)
        raise
    if parent:
        setattr(sys.modules[parent], dotted.rpartition(".")[2], module)
    return module


def _is_candidate(value: Any, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module
