"""Describe the public surface of the `replicate` that is installed, as JSON; run by each client's own Python.

Every public module, and of each its classes (methods, properties, fields, nested classes, built-in bases), functions and
the module-level names. A function is described by its parameters and by what calling it gives: a value, a coroutine
or an iterator.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys

import replicate


def _kind(function):
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "async iterator"
    # Ours can be awaited first, and need not be.
    told = f"{getattr(function.__code__, 'co_qualname', '')} {function.__annotations__.get('return')}"
    if told.startswith("async_iterating") or "Events[" in told:
        return "coroutine or async iterator"
    return "value"


def _function(function):
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        named = {"name": parameter.name, "kind": parameter.kind.name}
        if parameter.default is not parameter.empty:
            named["default"] = repr(parameter.default)
        keys = _unpacked(function, parameter)
        if keys:
            named["keys"] = keys
        parameters.append(named)
    return {"is": "function", "gives": _kind(function), "parameters": parameters}


def _unpacked(function, parameter):
    """Return the names that `**params: Unpack[SomeParams]` takes."""
    if parameter.kind is not parameter.VAR_KEYWORD or "Unpack" not in str(parameter.annotation):
        return []
    name = re.findall(r"\w+Params", str(parameter.annotation))[-1]
    for module in list(sys.modules.values()):
        if not getattr(module, "__name__", "").startswith("replicate"):
            continue
        for holder in [module, *[item for item in vars(module).values() if inspect.isclass(item)]]:
            found = getattr(holder, name, None)
            if inspect.isclass(found):
                return sorted(found.__annotations__)
    return []


def _fields(cls):
    own = [name for base in cls.__mro__ for name in getattr(base, "__annotations__", {})]
    return sorted({name for name in own if not name.startswith("_")})


def _class(cls):
    members = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("replicate"):
            continue
        for name, value in vars(base).items():
            if name.startswith("_") and name not in KEPT:
                continue
            found = _member(value)
            if found:
                members[name] = found
    bases = [base.__name__ for base in cls.__mro__ if base.__module__ == "builtins"]
    about = {"is": "class", "members": members, "fields": _fields(cls), "bases": bases}
    if issubclass(cls, __import__("enum").Enum):
        about["values"] = {item.name: item.value for item in cls}
    return about


KEPT = {"__iter__", "__aiter__", "__getitem__", "__len__", "__str__", "__init__"}


def _member(value):
    if isinstance(value, property):
        return {"is": "property", "settable": value.fset is not None}
    if isinstance(value, (staticmethod, classmethod)):
        return _function(value.__func__)
    if inspect.isclass(value) and value.__module__.startswith("replicate"):
        return _class(value)
    return _function(value) if inspect.isfunction(value) else None


def _module(module):
    members = {}
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) is None:
            continue
        if not value.__module__.startswith("replicate") or inspect.ismodule(value):
            continue
        # What a module only imports is described where it is defined; ours defines some under names of its own.
        if module is not replicate and value.__module__ != module.__name__ and name not in getattr(module, "__all__", ()):
            continue
        if inspect.isclass(value):
            members[name] = _class(value)
        elif inspect.isfunction(value) or inspect.ismethod(value):
            members[name] = _function(value)
        elif hasattr(value, "_client") or isinstance(value, replicate.Client):
            members[name] = {**_class(type(value)), "is": "namespace"}
    return members


def _names():
    listed = [found.name for found in pkgutil.iter_modules(replicate.__path__)]
    return [name for name in listed if not name.startswith("_") or name == "__about__"]


def main():
    """Print the description."""
    found = {"": _module(replicate)}
    for name in _names():
        importlib.import_module(f"replicate.{name}")
    for name in _names():
        found[name] = _module(sys.modules[f"replicate.{name}"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
