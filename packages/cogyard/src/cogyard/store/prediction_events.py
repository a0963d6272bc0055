"""What was streamed, a row a batch: `items` is a list of [name, data] or [name, data, 1] where data is JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from cogyard.domain.stream import Item, StreamEvent
from cogyard.store.rows import from_json, to_json
from cogyard.store.times import stored


def insert(db: sqlite3.Connection, prediction_id: str, events: Sequence[StreamEvent]) -> None:
    """Keep a batch of events, which are numbered without a gap."""
    if not events:
        return
    items = [[e.name, e.data, 1] if e.item.is_json else [e.name, e.data] for e in events]
    db.execute(
        "INSERT INTO prediction_events VALUES (?, ?, ?, ?, ?)",
        (prediction_id, events[0].id, events[-1].id, to_json(items), stored(datetime.now(UTC))),
    )


def select(db: sqlite3.Connection, prediction_id: str, after: int) -> tuple[StreamEvent, ...]:
    """Return the events that follow number `after`, in order."""
    rows = db.execute(
        "SELECT first, items FROM prediction_events WHERE prediction_id = ? AND last > ? ORDER BY first",
        (prediction_id, after),
    )
    return tuple(
        event
        for row in rows
        for place, item in enumerate(from_json(row["items"]))
        if (event := StreamEvent(row["first"] + place, Item(item[0], item[1], len(item) > 2))).id > after
    )


def drop_held(db: sqlite3.Connection, prediction_id: str, now: datetime) -> None:
    """Drop a prediction's stream, and let its files expire: their contents go with the next sweep of files."""
    db.execute("DELETE FROM prediction_events WHERE prediction_id = ?", (prediction_id,))
    db.execute("UPDATE files SET expires_at = ? WHERE prediction_id = ?", (stored(now), prediction_id))
