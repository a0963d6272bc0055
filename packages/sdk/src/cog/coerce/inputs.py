"""JSON inputs to Python arguments.

Everything about a type is decided once, when the model is loaded: `converter` returns a function for values of that
type, or None where the value can be passed as JSON gave it. A prediction only walks a list of (name, function).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any

from cog.errors import InputError
from cog.input import MISSING
from cog.path import Path, URLPath
from cog.schema import types as t
from cog.schema.rules import fits
from cog.schema.signature import Parameter, Signature
from cog.schema.texts import reader
from cog.secret import Secret

Convert = Callable[[Any], Any]

#: The key that marks a file in an input; spec/worker-protocol.md.
FILE = "$cog.file"


class Arguments:
    """Makes the keyword arguments of one function out of requests' inputs."""

    __slots__ = ("_defaults", "_known", "_steps", "opened")

    def __init__(self, signature: Signature) -> None:
        """Prepare a converter and a default for each parameter."""
        self._steps: list[tuple[str, Convert | None, bool]] = []
        self._defaults: dict[str, Callable[[], Any]] = {}
        for parameter in signature.parameters:
            self._steps.append((parameter.name, converter(parameter.type), parameter.required))
            if not parameter.required:
                self._defaults[parameter.name] = _default(parameter)
        #: Names of the inputs that are open files, to be closed after the prediction.
        self.opened = tuple(p.name for p in signature.parameters if _is_opened(p.type))
        self._known = frozenset(parameter.name for parameter in signature.parameters)

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments for one input. Raises InputError naming the input that does not fit."""
        arguments: dict[str, Any] = {}
        for name, convert, required in self._steps:
            value = values.get(name, MISSING)
            if value is MISSING:
                if required:
                    raise InputError(name, "is required")
                arguments[name] = self._defaults[name]()
            elif convert is None:
                arguments[name] = value
            else:
                try:
                    arguments[name] = convert(value)
                except (TypeError, ValueError) as error:
                    raise InputError(name, str(error)) from None
        if not self._known.issuperset(values):
            unknown = min(set(values) - self._known)
            raise InputError(unknown, f"is not one of {', '.join(sorted(self._known)) or 'none'}")
        return arguments


def _is_opened(kind: t.Type) -> bool:
    inner = t.unwrap(kind)
    if isinstance(inner, t.ArrayType):
        inner = t.unwrap(inner.items)
    return isinstance(inner, t.FileType) and inner.form != "path"


def _default(parameter: Parameter) -> Callable[[], Any]:
    """Return a function giving the parameter's default as Python, a fresh one where it could be changed."""
    default = parameter.default
    kind = t.unwrap(parameter.type)
    if default is None:
        return lambda: None
    if isinstance(kind, t.FileType):
        return _DefaultFile(kind, default)
    if isinstance(kind, t.ArrayType) and isinstance(kind.items, t.FileType):
        files = [_DefaultFile(kind.items, item) for item in default]
        return lambda: [file() for file in files]
    convert = converter(parameter.type)
    if isinstance(default, (list, dict)):
        return lambda: copy.deepcopy(default) if convert is None else convert(copy.deepcopy(default))
    value = default if convert is None else convert(default)
    return lambda: value


class _DefaultFile:
    """The author's own default: a path in the project, or an address that is fetched when it is first needed."""

    __slots__ = ("_convert", "_path")

    def __init__(self, kind: t.FileType, default: str) -> None:
        remote = default.startswith(("http://", "https://", "data:"))
        self._path: Path = URLPath.of(default) if remote else Path(default)
        self._convert = converter(kind)

    def __call__(self) -> Any:
        path = self._path.convert() if isinstance(self._path, URLPath) else self._path
        return self._convert({FILE: {"path": path}}) if self._convert is not None else path


def converter(kind: t.Type) -> Convert | None:
    """Return the function that turns JSON of this type into Python, or None when JSON's own value will do."""
    if isinstance(kind, t.OptionalType):
        inner = converter(kind.of)
        return None if inner is None else lambda value: None if value is None else inner(value)
    if isinstance(kind, t.Scalar):
        return {"number": _number, "integer": _integer}.get(kind.name)
    if isinstance(kind, t.FileType):
        return _path if kind.form == "path" else _image if kind.form == "image" else _file
    if isinstance(kind, t.SecretType):
        return Secret
    if isinstance(kind, t.TextType):
        return reader(kind.form)
    if isinstance(kind, t.ChoiceType):
        return _choice(kind)
    if isinstance(kind, t.ArrayType):
        return _array(kind)
    if isinstance(kind, t.TupleType):
        return _tuple(kind)
    if isinstance(kind, t.ObjectType):
        return _object(kind)
    if isinstance(kind, t.RecordType):
        return _record(kind)
    if isinstance(kind, t.UnionType):
        return _union(kind)
    return None


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"{value!r} is not a number")


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"{value!r} is not a whole number")


def _path(value: Any) -> Path:
    # A bare text is refused: the server puts files on disk, and a caller's own text must never name one of ours.
    try:
        return Path(value[FILE]["path"])
    except (KeyError, TypeError):
        raise TypeError("a file was expected") from None


def _file(value: Any) -> Any:
    path = _path(value)
    return path.open("rb")


def _image(value: Any) -> Any:
    from PIL import Image  # type: ignore[import-not-found,unused-ignore]

    return Image.open(os.fspath(_path(value)))


def _choice(kind: t.ChoiceType) -> Convert | None:
    if kind.python is not None:
        return _enumeration(kind)
    return converter(kind.base) if kind.base is not None else None


def _enumeration(kind: t.ChoiceType) -> Convert:
    members = {_key(member.value): member for member in kind.python}

    def convert(value: Any) -> Any:
        try:
            return members[_key(value)]
        except (KeyError, TypeError):
            listed = ", ".join(repr(choice) for choice in kind.values)
            raise ValueError(f"{value!r} is not one of {listed}") from None

    return convert


def _key(value: Any) -> tuple[bool, Any]:
    """Tell True from 1, which are equal keys."""
    return isinstance(value, bool), value


def _ndarray(value: Any) -> Any:
    import numpy as np  # type: ignore[import-not-found,unused-ignore]

    return np.asarray(value)


def _tensor(value: Any) -> Any:
    import torch  # type: ignore[import-not-found,unused-ignore]

    return torch.tensor(value)


_FORMS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "ndarray": _ndarray,
    "tensor": _tensor,
}


def _array(kind: t.ArrayType) -> Convert | None:
    inner = converter(kind.items)
    form = _FORMS[kind.form]
    if inner is None and form is list:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("a list was expected")
        return form(value if inner is None else [inner(item) for item in value])

    return convert


def _tuple(kind: t.TupleType) -> Convert:
    inner = [converter(member) for member in kind.members]
    size = len(inner)

    def convert(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != size:
            raise TypeError(f"a list of {size} items was expected")
        pairs = zip(inner, value, strict=True)
        return tuple(item if make is None else make(item) for make, item in pairs)

    return convert


def _object(kind: t.ObjectType) -> Convert | None:
    if kind.python is not None:
        decode: Convert = kind.python.decode
        return decode
    inner = None if kind.values is None else converter(kind.values)
    if inner is None:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("an object was expected")
        return {key: inner(item) for key, item in value.items()}

    return convert


def _record(kind: t.RecordType) -> Convert:
    cls = kind.python
    fields = {field.name: (converter(field.type), field.required) for field in kind.fields}
    make = getattr(cls, "model_validate", None)
    plain = cls is None or issubclass(cls, dict)

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("an object was expected")
        made: dict[str, Any] = {}
        for name, item in value.items():
            if name not in fields:
                raise ValueError(f"{kind.name} has no field {name!r}")
            inner = fields[name][0]
            made[name] = item if inner is None else inner(item)
        missing = [name for name, (_, required) in fields.items() if required and name not in made]
        if missing:
            raise ValueError(f"{kind.name} needs the field {missing[0]!r}")
        if plain:
            return made
        return make(made) if make is not None else cls(**made)

    return convert


def _union(kind: t.UnionType) -> Convert:
    members = [(member, converter(member)) for member in kind.members]

    def convert(value: Any) -> Any:
        error: Exception | None = None
        for member, inner in members:
            file = isinstance(member, t.FileType) and isinstance(value, dict) and FILE in value
            if file or (fits(member, value) and not isinstance(member, t.FileType)):
                try:
                    return value if inner is None else inner(value)
                except (TypeError, ValueError) as problem:  # another record may be the one that is meant
                    error = error or problem
        for member, inner in members:
            # JSON tells 2.0 from 2 no more than its schema does: a whole number is one in either form.
            if inner is not None and not isinstance(member, (t.FileType, t.SecretType)):
                try:
                    return inner(value)
                except (TypeError, ValueError):
                    continue
        raise error or TypeError(f"{value!r} is none of {t.describe(kind)}")

    return convert
