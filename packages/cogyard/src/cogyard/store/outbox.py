"""The outbox in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cogyard.domain.paging import Slice, Window, cut
from cogyard.features.webhooks.ports import Delivery, Letter
from cogyard.store.database import Database
from cogyard.store.rows import run, seek, to_json
from cogyard.store.times import moment, stored

# The oldest letter of each prediction to each who is told: later ones wait for it, also while it waits to be tried
# again.
_DUE_BUT = """
SELECT o.*, (SELECT account_id FROM predictions WHERE id = o.prediction_id) AS account_id
FROM outbox AS o WHERE due_at <= ?
  AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.prediction_id = o.prediction_id
    AND e.endpoint = o.endpoint AND e.rank < o.rank){but}
ORDER BY due_at, rank LIMIT ?
"""
_DUE = _DUE_BUT.format(but="")
_DUE_OF_OTHERS = _DUE_BUT.format(
    but=(
        " AND NOT EXISTS (SELECT 1 FROM predictions p WHERE p.id = o.prediction_id"
        " AND p.account_id IN (SELECT value FROM json_each(?)))"
    )
)
_NEXT = """
SELECT min(due_at) FROM outbox AS o
WHERE NOT EXISTS (SELECT 1 FROM outbox e WHERE e.prediction_id = o.prediction_id
    AND e.endpoint = o.endpoint AND e.rank < o.rank)
"""


_NOTE = (
    "INSERT INTO webhook_calls (account_id, prediction_id, message_id, event, attempt, at, status, problem,"
    " milliseconds, endpoint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_AGAIN = (
    "INSERT INTO outbox (message_id, prediction_id, event, endpoint, due_at, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class SqlOutbox:
    """Webhook events that must be told."""

    database: Database

    async def due(self, now: datetime, limit: int, *, but: Collection[int] = ()) -> tuple[Letter, ...]:
        """Return the oldest letter of each prediction, if it is due."""
        given = (stored(now), to_json(list(but)), limit) if but else (stored(now), limit)
        sql = _DUE_OF_OTHERS if but else _DUE
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return tuple(replace(_letter(row), account_id=row["account_id"]) for row in rows)

    async def next_due(self) -> datetime | None:
        """Return when the next letter is due."""
        due: int | None = await self.database.read(lambda db: db.execute(_NEXT).fetchone()[0])
        return moment(due)

    async def told(self, letter: Letter) -> None:
        """Forget a letter. Its rank alone may be another's by now: SQLite gives the highest out again."""
        sql = "DELETE FROM outbox WHERE rank = ? AND message_id = ?"
        await self.database.write(run(sql, letter.rank, letter.message_id))

    async def hurry(self, now: datetime, waits: Sequence[timedelta]) -> int:
        """Let no letter be due later than its wait from now."""
        sql = "UPDATE outbox SET due_at = ?1 WHERE attempts = ?2 AND due_at > ?1"

        def work(db: sqlite3.Connection) -> int:
            return sum(
                db.execute(sql, (stored(now + wait), attempts)).rowcount
                for attempts, wait in enumerate(waits)
            )

        return await self.database.write(work)

    async def later(self, letter: Letter, attempts: int, due_at: datetime) -> None:
        """Try a letter again then."""
        sql = "UPDATE outbox SET attempts = ?, due_at = ? WHERE rank = ? AND message_id = ?"
        await self.database.write(run(sql, attempts, stored(due_at), letter.rank, letter.message_id))


_WAITING = """
SELECT o.* FROM outbox o JOIN predictions p ON p.id = o.prediction_id
WHERE p.account_id = ?{} ORDER BY o.due_at, o.rank LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class SqlWaitingLetters:
    """What is still to be told, for whoever is told."""

    database: Database

    async def waiting(
        self, account_id: int, limit: int, *, prediction_id: str | None = None
    ) -> tuple[Letter, ...]:
        """Return what waits, the soonest due first."""
        one, values = ("", ()) if prediction_id is None else (" AND o.prediction_id = ?", (prediction_id,))
        sql, given = _WAITING.format(one), (account_id, *values, limit)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return tuple(map(_letter, rows))


@dataclass(frozen=True, slots=True)
class SqlDeliveryLog:
    """What was tried, and what is to be tried once more."""

    database: Database

    async def note(self, delivery: Delivery) -> None:
        """Keep a try."""
        values = (
            *(delivery.account_id, delivery.prediction_id, delivery.message_id, delivery.event),
            *(delivery.attempt, stored(delivery.at), delivery.status, delivery.problem),
            *(delivery.milliseconds, delivery.endpoint),
        )
        await self.database.write(run(_NOTE, *values))

    async def deliveries(
        self,
        account_id: int,
        window: Window,
        *,
        prediction_id: str | None = None,
        endpoint: str | None = None,
    ) -> Slice[Delivery]:
        """Return tries, newest first."""
        where, sort, values = seek(window, ("rank",))
        # Not bound: the index of endpoints is partial, and used only for a question that says the same.
        to_one = " AND endpoint <> '' AND endpoint = ?" if endpoint else " AND endpoint = ?"
        wanted = {" AND prediction_id = ?": prediction_id, to_one: endpoint}
        asked = {condition: value for condition, value in wanted.items() if value is not None}
        one = "".join(asked)
        sql = f"SELECT * FROM webhook_calls WHERE account_id = ?{one} AND {where} ORDER BY {sort} LIMIT ?"
        given = (account_id, *asked.values(), *values, window.fetch)
        rows = await self.database.read(lambda db: db.execute(sql, given).fetchall())
        return cut(list(map(_delivery, rows)), window, lambda each: (each.rank,))

    async def prune(self, before: datetime) -> int:
        """Forget old tries."""
        sql = "DELETE FROM webhook_calls WHERE at < ?"
        return await self.database.write(lambda db: db.execute(sql, (stored(before),)).rowcount)

    async def again(self, letter: Letter) -> bool:
        """Put a letter into the outbox."""
        due = stored(letter.due_at)
        values = (letter.message_id, letter.prediction_id, letter.event, letter.endpoint, due, due)
        return await self.database.write(lambda db: db.execute(_AGAIN, values).rowcount == 1)


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        rank=row["rank"],
        account_id=row["account_id"],
        prediction_id=row["prediction_id"],
        message_id=row["message_id"],
        event=row["event"],
        attempt=row["attempt"],
        at=moment(row["at"]),
        milliseconds=row["milliseconds"],
        status=row["status"],
        problem=row["problem"],
        endpoint=row["endpoint"],
    )


def _letter(row: sqlite3.Row) -> Letter:
    return Letter(
        rank=row["rank"],
        message_id=row["message_id"],
        prediction_id=row["prediction_id"],
        event=row["event"],
        attempts=row["attempts"],
        due_at=moment(row["due_at"]),
        endpoint=row["endpoint"],
    )
