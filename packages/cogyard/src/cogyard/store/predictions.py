"""Predictions and their queue in SQL. What they become is decided elsewhere; see the port."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cogyard.domain.ids import first_id
from cogyard.domain.paging import Slice, Window, afford, cut
from cogyard.domain.stream import StreamEvent, gathered
from cogyard.domain.values import Prediction
from cogyard.domain.waiting import Place
from cogyard.features.predictions.limits import QUICK_LIMIT
from cogyard.features.predictions.ports import (
    Asked,
    Change,
    Decide,
    Message,
    Once,
    Record,
    Stages,
    Taken,
    Ticket,
)
from cogyard.store import places
from cogyard.store import prediction_events as kept
from cogyard.store.database import Database
from cogyard.store.prediction_rows import (
    changed_columns,
    prediction_columns,
    prediction_of,
    shown_bytes,
    ticket_columns,
    ticket_of,
)
from cogyard.store.rows import insert, run, seek, update
from cogyard.store.times import stored
from cogyard.store.usage import count_end

_RECORD = (
    "SELECT p.*, q.deployable, q.claims, q.deadline AS ticket_deadline, q.lease_token, q.lease_expires_at, q.instance,"
    " q.urgency, q.idempotent"
    " FROM predictions p LEFT JOIN queue q ON q.prediction_id = p.id"
)
_COUNT_RUN = (
    "UPDATE models SET run_count = run_count + 1"
    " WHERE owner_id = (SELECT id FROM accounts WHERE username = ?) AND name = ? RETURNING id"
)


# Spelled as in the index of what did not succeed, which is partial and used only for a question that says the same.
_UNSUCCESSFUL = "status IN ('failed', 'canceled', 'aborted')"
_STAGES = {
    Stages.RUNNING: "id IN (SELECT prediction_id FROM queue)",
    Stages.SUCCEEDED: "status = 'succeeded'",
    Stages.FAILED: f"{_UNSUCCESSFUL} AND status = 'failed'",
    Stages.CANCELED: f"{_UNSUCCESSFUL} AND status <> 'failed'",
}
# Without statistics the planner would walk an account's predictions and look each of them up in the queue.
# And a model's predictions may be many, those of them that failed few.
_HINTS = {
    Stages.RUNNING: " INDEXED BY sqlite_autoindex_predictions_1",
    Stages.FAILED: " INDEXED BY predictions_unsuccessful",
    Stages.CANCELED: " INDEXED BY predictions_unsuccessful",
}
_FROM_WEB = "source = 'web'"


@dataclass(frozen=True, slots=True)
class SqlPredictions:
    """The predictions' store over the platform's database."""

    database: Database

    async def add(self, prediction: Prediction, ticket: Ticket) -> None:
        """Keep a new prediction and its ticket, and count the run."""
        path, values, place = _rows(prediction, ticket)
        await self.database.write(lambda db: _add(db, path, values, place), quick=_is_small(values))

    async def add_once(self, prediction: Prediction, ticket: Ticket, once: Once) -> Once:
        """Keep a new prediction unless the account has said the key before."""
        path, values, place = _rows(prediction, ticket)
        row = (once.account_id, once.key, once.fingerprint, prediction.id, stored(prediction.created_at))

        def work(db: sqlite3.Connection) -> Once:
            if (before := _once(db, once.account_id, once.key)) is not None:
                return before
            _add(db, path, values, place)
            db.execute("INSERT INTO created_once VALUES (?, ?, ?, ?, ?)", row)
            return once

        return await self.database.write(work, quick=_is_small(values))

    async def once(self, account_id: int, key: str) -> Once | None:
        """Return what an account created under a key."""
        return self.database.look(lambda db: _once(db, account_id, key))

    async def prune_once(self, before: datetime) -> int:
        """Forget keys that were said before then."""
        sql = "DELETE FROM created_once WHERE created_at < ?"
        return await self.database.write(lambda db: db.execute(sql, (stored(before),)).rowcount)

    async def erase(self, prediction_id: str, now: datetime) -> bool:
        """Delete a prediction that has ended."""
        sql = (
            "DELETE FROM predictions WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM queue WHERE prediction_id = ?1)"
        )

        def work(db: sqlite3.Connection) -> bool:
            if db.execute(sql, (prediction_id,)).rowcount == 0:
                return False
            kept.drop_held(db, prediction_id, now)
            return True

        return await self.database.write(work)

    async def get(self, prediction_id: str) -> Record | None:
        """Return a prediction, with what was streamed while it has not ended."""
        row = self.database.look(
            lambda db: db.execute(f"{_RECORD} WHERE p.id = ?", (prediction_id,)).fetchone()
        )
        if row is None:
            return None
        if not row["claims"]:
            return Record(prediction=prediction_of(row), ticket=ticket_of(row))
        # What was streamed is found with it, of one moment, and may be much.
        return await self.database.read(lambda db: _record(db, "p.id = ?", prediction_id))

    async def stream_of(self, token: str) -> str | None:
        """Return the id of the prediction whose stream this is."""
        sql = "SELECT id FROM predictions WHERE stream_token = ?"
        row = self.database.look(lambda db: db.execute(sql, (token,)).fetchone())
        return None if row is None else str(row[0])

    async def of_deployment(self, deployment_id: int) -> tuple[str, ...]:
        """Return the predictions of a deployment that wait or run."""
        sql = (
            "SELECT q.prediction_id FROM queue q JOIN predictions p ON p.id = q.prediction_id"
            " WHERE p.deployment_id = ?"
        )
        return await self._ids(sql, deployment_id)

    async def position(self, prediction_id: str) -> Place | None:
        """Return where a prediction waits."""
        row = await self.database.read(lambda db: db.execute(places.POSITION, (prediction_id,)).fetchone())
        return None if row is None else Place(position=row["position"], deployable=row["deployable"])

    async def by_lease(self, lease_token: str) -> Record | None:
        """Return the prediction that is held by this lease."""
        return await self.database.read(lambda db: _record(db, "q.lease_token = ?", lease_token))

    async def list(self, asked: Asked, window: Window) -> Slice[Prediction]:
        """Return predictions, newest first."""
        where, sort, values = seek(window, ("id",))
        wanted: list[tuple[str, Any]] = [("account_id = ?", asked.account_id)]
        if asked.created_after is not None:
            wanted.append(("id >= ?", first_id(asked.created_after)))
        if asked.created_before is not None:
            wanted.append(("id < ?", first_id(asked.created_before)))
        if asked.source is not None:
            # Not bound where the index is partial, as below.
            from_web = asked.source == "web"
            wanted.append((_FROM_WEB, None) if from_web else ("source = ?", asked.source))
        if asked.version is not None:
            wanted.append(("version = ?", asked.version))
        if asked.asked_by is not None:
            wanted.append(("asked_by = ?", asked.asked_by))
        if asked.model is not None:
            wanted.append(("model = ?", asked.model))
        if asked.stages is not None:
            wanted.append((_STAGES[asked.stages], None))
        if asked.deployment_id is not None:
            wanted.append(("deployment_id IS NOT NULL AND deployment_id = ?", asked.deployment_id))
        # Not bound: the index of trainings is partial, and used only for a question that says the same.
        wanted.append((f"kind = '{asked.kind.value}'", None))
        conditions = " AND ".join(condition for condition, _ in wanted)
        hint = _HINTS.get(asked.stages, "") if asked.stages is not None else ""
        sql = f"SELECT * FROM predictions{hint} WHERE {conditions} AND {where} ORDER BY {sort} LIMIT ?"
        given = (*(value for _, value in wanted if value is not None), *values, window.fetch)

        def work(db: sqlite3.Connection) -> tuple[list[sqlite3.Row], bool]:
            # Row by row, as the index has them: inputs and outputs can be large, and a page of them ends early.
            with closing(db.execute(sql, given)) as rows:
                return afford(rows, window, shown_bytes)

        rows, more = await self.database.read(work)
        return cut([prediction_of(row) for row in rows], window, lambda each: (each.id,), more=more)

    async def change(
        self,
        prediction_id: str,
        decide: Decide,
        *,
        events: Sequence[StreamEvent] = (),
        large: bool = False,
    ) -> Change | None:
        """Read, decide and write in one transaction."""
        return await self.database.write(
            lambda db: _change(db, prediction_id, decide, events), quick=not large
        )

    async def take(self, deployable: str, decide: Decide, most: int = 1) -> Taken:
        """Change the tickets of a deployable that have no lease and whose turn it is."""

        def work(db: sqlite3.Connection) -> Taken:
            changes: list[Change] = []
            while len(changes) < most and (prediction_id := places.next_of(db, deployable)) is not None:
                change = _change(db, prediction_id, decide)
                if change is None:
                    break
                changes.append(change)
            return Taken(changes=tuple(changes), more=len(changes) == most and places.waits(db, deployable))

        return await self.database.write(work, quick=True)

    async def append(
        self, prediction_id: str, lease_token: str, events: Sequence[StreamEvent], messages: Sequence[Message]
    ) -> bool:
        """Keep streamed events, guarded by the lease."""

        def work(db: sqlite3.Connection) -> bool:
            guard = "SELECT 1 FROM queue WHERE prediction_id = ? AND lease_token = ?"
            if db.execute(guard, (prediction_id, lease_token)).fetchone() is None:
                return False
            kept.insert(db, prediction_id, events)
            _tell(db, prediction_id, messages)
            return True

        return await self.database.write(work)

    async def renew(self, prediction_id: str, lease_token: str, expires_at: datetime) -> bool:
        """Extend a lease, guarded by its token."""
        sql = "UPDATE queue SET lease_expires_at = ? WHERE prediction_id = ? AND lease_token = ?"
        values = (stored(expires_at), prediction_id, lease_token)
        return await self.database.write(lambda db: db.execute(sql, values).rowcount == 1, quick=True)

    async def prolong(self, expires_at: datetime) -> None:
        """Let no lease end before then."""
        sql = "UPDATE queue SET lease_expires_at = ?1 WHERE lease_token IS NOT NULL AND lease_expires_at < ?1"
        await self.database.write(run(sql, stored(expires_at)))

    async def leased(self, *, expired_by: datetime | None, limit: int) -> tuple[str, ...]:
        """Return predictions whose lease has expired by then; None: all that have one."""
        sql = (
            "SELECT prediction_id FROM queue WHERE lease_token IS NOT NULL AND lease_expires_at <= ?"
            " ORDER BY lease_expires_at LIMIT ?"
        )
        return await self._ids(sql, stored(expired_by or datetime.max.replace(tzinfo=UTC)), limit)

    async def overdue(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return predictions whose deadline has passed."""
        sql = "SELECT prediction_id FROM queue WHERE deadline IS NOT NULL AND deadline <= ? ORDER BY deadline LIMIT ?"
        return await self._ids(sql, stored(now), limit)

    async def waiting(self) -> Mapping[str, int]:
        """Return how many tickets have no lease, by deployable."""
        sql = "SELECT deployable, count(*) FROM queue WHERE lease_token IS NULL GROUP BY deployable"
        rows = await self.database.read(lambda db: db.execute(sql).fetchall())
        return {row[0]: row[1] for row in rows}

    async def waiting_by_account(self) -> Mapping[tuple[str, int], int]:
        """Return how many tickets have no lease, by deployable and account."""
        sql = (
            "SELECT deployable, account_id, count(*) FROM queue WHERE lease_token IS NULL"
            " GROUP BY deployable, account_id"
        )
        rows = await self.database.read(lambda db: db.execute(sql).fetchall())
        return {(row[0], row[1]): row[2] for row in rows}

    async def asked_since(self, moment: datetime) -> Mapping[int, int]:
        """Return how many predictions and trainings were made since then, by account."""
        sql = "SELECT account_id, count(*) FROM predictions WHERE id >= ? GROUP BY account_id"
        rows = await self.database.read(lambda db: db.execute(sql, (first_id(moment),)).fetchall())
        return {row[0]: row[1] for row in rows}

    async def events(self, prediction_id: str, after_number: int) -> tuple[StreamEvent, ...]:
        """Return the kept events that follow that number."""
        return await self.database.read(lambda db: kept.select(db, prediction_id, after_number))

    async def prune_events(self, before: datetime) -> int:
        """Drop old events of predictions that have ended."""
        sql = (
            "DELETE FROM prediction_events WHERE written_at < ?"
            " AND prediction_id NOT IN (SELECT prediction_id FROM queue)"
        )
        return await self.database.write(lambda db: db.execute(sql, (stored(before),)).rowcount)

    async def _ids(self, sql: str, *values: object) -> tuple[str, ...]:
        rows = await self.database.read(lambda db: db.execute(sql, values).fetchall())
        return tuple(row[0] for row in rows)


def _change(
    db: sqlite3.Connection, prediction_id: str, decide: Decide, events: Sequence[StreamEvent] = ()
) -> Change | None:
    record = _record(db, "p.id = ?", prediction_id, events)
    change = None if record is None else decide(record)
    if record is not None and change is not None:
        _apply(db, record, change, events)
    return change


def _rows(
    prediction: Prediction, ticket: Ticket
) -> tuple[tuple[str, ...], Mapping[str, Any], Mapping[str, Any]]:
    path = tuple(prediction.model.split("/", 1))
    place = {
        "prediction_id": prediction.id,
        "account_id": prediction.account_id,
        "urgency": ticket.urgency,
        "idempotent": ticket.idempotent,
        **ticket_columns(ticket),
    }
    return path, prediction_columns(prediction), place


def _is_small(values: Mapping[str, Any]) -> bool:
    return len(values["input"]) <= QUICK_LIMIT


def _add(
    db: sqlite3.Connection, path: tuple[str, ...], values: Mapping[str, Any], place: Mapping[str, Any]
) -> None:
    model = db.execute(_COUNT_RUN, path).fetchone()
    insert(db, "predictions", {**values, "model_id": None if model is None else model[0]})
    insert(db, "queue", {**place, "turn": places.turn_of(db, place["deployable"], place["account_id"])})


def _once(db: sqlite3.Connection, account_id: int, key: str) -> Once | None:
    sql = "SELECT fingerprint, prediction_id FROM created_once WHERE account_id = ? AND key = ?"
    row = db.execute(sql, (account_id, key)).fetchone()
    if row is None:
        return None
    return Once(
        account_id=account_id,
        key=key,
        fingerprint=row["fingerprint"],
        prediction_id=row["prediction_id"],
    )


def _record(
    db: sqlite3.Connection, where: str, value: str, fresh: Sequence[StreamEvent] = ()
) -> Record | None:
    row = db.execute(f"{_RECORD} WHERE {where}", (value,)).fetchone()
    if row is None:
        return None
    prediction, ticket = prediction_of(row), ticket_of(row)
    if ticket is None:
        return Record(prediction=prediction)
    events = (*kept.select(db, prediction.id, 0), *fresh) if ticket.claims else ()
    return Record(prediction=prediction, ticket=ticket, streamed=gathered(events))


def _apply(db: sqlite3.Connection, record: Record, change: Change, events: Sequence[StreamEvent]) -> None:
    key = record.prediction.id
    update(db, "predictions", "id", key, changed_columns(record.prediction, change.prediction))
    if change.ticket is None:
        db.execute("DELETE FROM queue WHERE prediction_id = ?", (key,))
        if change.prediction.status.terminal and not record.prediction.status.terminal:
            count_end(db, change.prediction)
    elif change.ticket != record.ticket:
        update(db, "queue", "prediction_id", key, ticket_columns(change.ticket))
    if change.forget_streamed:
        db.execute("DELETE FROM prediction_events WHERE prediction_id = ?", (key,))
    else:
        kept.insert(db, key, events)
    kept.insert(db, key, change.events)
    _tell(db, key, change.messages)


def _tell(db: sqlite3.Connection, prediction_id: str, messages: Sequence[Message]) -> None:
    for message in messages:
        # Of an event that comes again and again (output, logs) one waits to be told: it is told as things are then. It
        # becomes another letter, for the one before may be on its way, saying less, and is forgotten once it is told.
        db.execute(
            "INSERT INTO outbox (message_id, prediction_id, event, endpoint, due_at, created_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
            " ON CONFLICT (prediction_id, endpoint, event) DO UPDATE SET message_id = excluded.message_id",
            (message.id, prediction_id, message.event, message.endpoint, stored(message.due_at)),
        )
