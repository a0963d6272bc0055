"""Rows as values, and values as rows: JSON columns, statements for some columns, and keyset windows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from cogyard.domain.paging import Window

_encoder = msgspec.json.Encoder(enc_hook=dict)
_decoder = msgspec.json.Decoder()


def to_json(value: Any) -> str:
    """Write a JSON column."""
    return _encoder.encode(value).decode()


def from_json(text: str) -> Any:
    """Read a JSON column."""
    return _decoder.decode(text)


def run(sql: str, *values: object) -> Callable[[sqlite3.Connection], None]:
    """Return work that executes one statement and gives nothing back."""

    def work(db: sqlite3.Connection) -> None:
        db.execute(sql, values)

    return work


def insert(db: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    """Write a row: a value for each column."""
    db.execute(_insertion(table, *values), tuple(values.values()))


def update(db: sqlite3.Connection, table: str, key: str, id: str, values: Mapping[str, Any]) -> None:
    """Change columns of the row whose `key` is `id`; nothing where there are none."""
    if values:
        db.execute(_updating(table, key, *values), (*values.values(), id))


# The same few statements again and again: SQLite's own cache wants their text, and so does this one only their names.
@lru_cache(maxsize=64)
def _insertion(table: str, *columns: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of ours


@lru_cache(maxsize=64)
def _updating(table: str, key: str, *columns: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE {key} = ?"  # noqa: S608 - names of ours


def seek(
    window: Window, columns: tuple[str, ...], *, ascending: bool = False
) -> tuple[str, str, tuple[Any, ...]]:
    """Return (condition, order, values) that fetch a window sorted by `columns`, which together are unique.

    The condition is a row comparison, which an index over the same columns answers.
    """
    up = ascending != window.backwards
    order = ", ".join(f"{column} {'ASC' if up else 'DESC'}" for column in columns)
    if window.key is None:
        return "1", order, ()
    marks = ", ".join("?" * len(columns))
    return f"({', '.join(columns)}) {'>' if up else '<'} ({marks})", order, window.key
