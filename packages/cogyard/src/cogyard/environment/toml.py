"""Locks as TOML, laid out for people: a line for each file, a line for each reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def dumps(document: Mapping[str, Any]) -> str:
    """Return a document of texts, numbers, lists and tables as TOML. Raises TypeError for any other value.

    Lists of tables that hold tables or lists become `[[sections]]`, other tables stand on one line.
    """
    return "\n".join(_table(document, ())).strip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    sections = {name: value for name, value in table.items() if _is_section(value)}
    for name, value in table.items():
        if name not in sections:
            yield from _pair(_key(name), value)
    for name, value in sections.items():
        inner = (*path, name)
        title = ".".join(_key(part) for part in inner)
        if isinstance(value, Mapping):
            lines = list(_table(value, inner))
            if any(not _is_section(one) for one in value.values()):
                yield from ("", f"[{title}]")
            yield from lines
        else:
            for entry in value:
                yield from ("", f"[[{title}]]")
                for key, inside in entry.items():
                    yield from _pair(_key(key), inside)


def _is_section(value: object) -> bool:
    if isinstance(value, Mapping):
        return True
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(one, Mapping) and "name" in one and len(one) > 1 for one in value)
    )


def _pair(key: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and any(isinstance(one, Mapping | list) for one in value.values()):
        for name, inner in value.items():
            yield from _pair(f"{key}.{_key(name)}", inner)
    elif isinstance(value, list) and (len(value) > 1 or any(isinstance(one, Mapping) for one in value)):
        yield f"{key} = ["
        yield from (f"  {_inline(one)}," for one in value)
        yield "]"
    else:
        yield f"{key} = {_inline(value)}"


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's too, except that TOML wants the one control character escaped that JSON does not
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_inline(one)}" for name, one in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    raise TypeError(f"TOML has no place for {value!r}")


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _inline(name)
