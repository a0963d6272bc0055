"""A model's value → what to show for it. Pure: no request, no HTML.

Theory of operation: the value is hostile. An address is shown as a picture, a player or a download, never opened as a
page of ours: only http, https and data addresses count, and what kind of file it is comes from its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

#: How deep objects and lists are taken apart before the rest is JSON.
MAX_DEPTH = 4

#: Entries of a list or object shown one by one before the whole becomes JSON.
MAX_ENTRIES = 200

#: Characters of JSON that are left on one line.
LINE = 72

_BY_SUFFIX = {
    "image": frozenset({"png", "jpg", "jpeg", "webp", "gif", "svg", "avif", "bmp"}),
    "audio": frozenset({"wav", "mp3", "ogg", "oga", "flac", "m4a", "opus"}),
    "video": frozenset({"mp4", "webm", "mov", "ogv"}),
}


class Shape(StrEnum):
    """How a value is shown."""

    EMPTY = "empty"
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"
    LIST = "list"
    GALLERY = "gallery"
    OBJECT = "object"
    JSON = "json"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One value as it is shown. `items` are (label, view) of a list or an object."""

    shape: Shape
    text: str = ""
    url: str = ""
    name: str = ""
    items: tuple[tuple[str, View], ...] = ()


def view(value: Any, schema: Mapping[str, Any] | None = None, *, base: str = "", depth: int = 0) -> View:
    """Return how to show a value. `base` is our own address: what lies under it is named by its path alone."""
    schema = schema if isinstance(schema, Mapping) else {}
    match value:
        case None:
            shown = View(shape=Shape.EMPTY)
        case str():
            shown = _string(value, is_file=schema.get("format") == "uri", base=base)
        case bool() | int() | float():
            shown = View(shape=Shape.TEXT, text=json.dumps(value))
        case list() if _joined(schema) and all(isinstance(item, str) for item in value):
            shown = View(shape=Shape.TEXT, text="".join(value))
        case list() if depth < MAX_DEPTH and len(value) <= MAX_ENTRIES and not _is_numbers(value):
            shown = _list(value, schema, base=base, depth=depth)
        case Mapping() if depth < MAX_DEPTH and len(value) <= MAX_ENTRIES:
            shown = _object(value, schema, base=base, depth=depth)
        case _:
            shown = as_json(value)
    return shown


def as_json(value: Any) -> View:
    """Return a value as JSON, indented when one line would not hold it."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    text = line if len(line) <= LINE else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return View(shape=Shape.JSON, text=text)


def streams_text(schema: Mapping[str, Any]) -> bool:
    """Whether an output of this schema is text that grows."""
    return _joined(schema)


def makes_files(schema: Mapping[str, Any]) -> bool:
    """Whether an output of this schema is one file."""
    return schema.get("type") == "string" and schema.get("format") == "uri"


def local(url: str, base: str) -> str:
    """Return an address of ours as a path, so that it works however the page was reached; others unchanged."""
    return url.removeprefix(base) if base and url.startswith(base + "/") else url


def file_kind(url: str) -> str:
    """Return `image`, `audio`, `video` or `file`, from an address's media type or name."""
    if url.startswith("data:"):
        kind = url[5:64].partition("/")[0]
        return kind if kind in _BY_SUFFIX else "file"
    suffix = file_name(url).rpartition(".")[2].lower()
    return next((kind for kind, suffixes in _BY_SUFFIX.items() if suffix in suffixes), "file")


def file_name(url: str) -> str:
    """Return what to call the file at an address."""
    if url.startswith("data:"):
        return "output." + (url[5:64].partition(";")[0].partition("/")[2].partition("+")[0] or "bin")
    return unquote(_path(url).rpartition("/")[2]) or "output"


def is_file_address(text: str) -> bool:
    """Whether a string is an address that may be shown as a file."""
    return text.startswith(("http://", "https://", "data:", "/delivery/"))


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _string(text: str, *, is_file: bool, base: str) -> View:
    ours = text.startswith("/delivery/") or (bool(base) and text.startswith(base + "/delivery/"))
    if not (ours or (is_file and is_file_address(text))):
        return View(shape=Shape.TEXT, text=text)
    # A file elsewhere is only linked: its server must not learn who looks at this page, and the policy forbids it.
    kind = file_kind(text) if ours or text.startswith("data:") else "file"
    return View(shape=Shape(kind), text=text, url=local(text, base), name=file_name(text))


def _is_numbers(values: list[Any]) -> bool:
    """Whether a list holds only numbers, at any depth: an embedding, a box, a matrix."""
    return all(
        _is_numbers(item) if isinstance(item, list) else isinstance(item, int | float) for item in values
    )


def _joined(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" and schema.get("x-cog-array-display") == "concatenate"


def _list(values: list[Any], schema: Mapping[str, Any], *, base: str, depth: int) -> View:
    items = schema.get("items")
    views = [
        (str(index), view(value, items, base=base, depth=depth + 1)) for index, value in enumerate(values)
    ]
    pictures = bool(views) and all(item.shape is Shape.IMAGE for _, item in views)
    return View(shape=Shape.GALLERY if pictures else Shape.LIST, items=tuple(views))


def _object(values: Mapping[str, Any], schema: Mapping[str, Any], *, base: str, depth: int) -> View:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    extra = schema.get("additionalProperties")
    views = [
        (str(key), view(value, known.get(key, extra), base=base, depth=depth + 1))
        for key, value in values.items()
    ]
    return View(shape=Shape.OBJECT, items=tuple(views))
