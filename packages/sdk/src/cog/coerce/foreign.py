"""Values of other packages' types as JSON, recognised without importing those packages."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

from cog.coder import Coder
from cog.coerce.outbox import Marker, Outbox
from cog.path import Path
from cog.secret import Secret

#: What Pillow is asked to write; other formats lose something or are not shown by browsers.
_IMAGE_FORMATS = {"JPEG": "jpg", "WEBP": "webp", "GIF": "gif"}


def simplify(value: Any, outbox: Callable[[], Outbox]) -> Any:
    """Return what the JSON encoder should write in place of `value`. Raises TypeError when there is nothing."""
    if isinstance(value, PurePath):
        return Path(value)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, Secret) or _is(value, "uuid", "UUID"):
        return str(value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if _is(value, "decimal", "Decimal"):
        return float(value)
    coder = Coder.lookup(type(value))
    if coder is not None:
        return coder.encode(value)
    if _is(value, "PIL.Image", "Image"):
        return _save_image(value, outbox())
    if hasattr(value, "model_dump"):  # pydantic 2
        return value.model_dump()
    if isinstance(getattr(value, "__fields__", None), dict):  # pydantic 1
        return {name: getattr(value, name) for name in value.__fields__}
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # torch
        value = value.detach().cpu()
    if hasattr(value, "tolist"):  # numpy arrays and scalars, torch, pandas
        return value.tolist()
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes; write them to a file and return its Path")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__}")


def _is(value: Any, module: str, name: str) -> bool:
    """Say whether `value` is of a class whose module may not be loaded; if it is not, nothing can be of it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _save_image(image: Any, outbox: Outbox) -> Marker:
    suffix = _IMAGE_FORMATS.get(image.format, "png")
    if suffix == "jpg" and image.mode not in {"RGB", "L", "CMYK"}:
        suffix = "png"
    target, marker = outbox.new(f"output.{suffix}")
    if suffix == "png" and image.mode in {"CMYK", "YCbCr", "HSV", "LAB"}:
        image = image.convert("RGB")
    image.save(target)
    return marker
