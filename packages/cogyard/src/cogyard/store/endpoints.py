"""Webhook endpoints in SQL."""

# Statements are put together from constants of this file; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from cogyard.features.webhooks.ports import ChangeEndpoint, WebhookEndpoint
from cogyard.store.database import Database
from cogyard.store.rows import run
from cogyard.store.times import moment, stored

_COLUMNS = (
    *("id", "account_id", "url", "events", "model", "enabled", "disabled_reason"),
    *("secret", "previous", "rotated_at", "failing_since", "created_at"),
)
_INSERT = f"INSERT INTO webhook_endpoints ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_UPDATE = f"UPDATE webhook_endpoints SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = ?"
_ONE = "SELECT * FROM webhook_endpoints WHERE id = ?"


@dataclass(frozen=True, slots=True)
class SqlEndpoints:
    """The endpoints' store over the platform's database."""

    database: Database

    async def get(self, id: str) -> WebhookEndpoint | None:
        """Return an endpoint."""
        row = await self.database.read(lambda db: db.execute(_ONE, (id,)).fetchone())
        return None if row is None else _endpoint(row)

    async def list(self, account_id: int | None = None) -> tuple[WebhookEndpoint, ...]:
        """Return an account's endpoints, or everybody's, the oldest first."""
        where, values = ("", ()) if account_id is None else (" WHERE account_id = ?", (account_id,))
        sql = f"SELECT * FROM webhook_endpoints{where} ORDER BY id"
        rows = await self.database.read(lambda db: db.execute(sql, values).fetchall())
        return tuple(map(_endpoint, rows))

    async def add(self, endpoint: WebhookEndpoint) -> None:
        """Keep a new endpoint."""
        await self.database.write(run(_INSERT, *_values(endpoint)))

    async def change(self, id: str, decide: ChangeEndpoint) -> WebhookEndpoint | None:
        """Read, decide and write in one transaction."""

        def work(db: sqlite3.Connection) -> WebhookEndpoint | None:
            row = db.execute(_ONE, (id,)).fetchone()
            if row is None:
                return None
            changed = decide(_endpoint(row))
            db.execute(_UPDATE, (*_values(changed), id))
            return changed

        return await self.database.write(work)

    async def delete(self, id: str) -> None:
        """Delete an endpoint and its letters."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM webhook_endpoints WHERE id = ?", (id,))
            db.execute("DELETE FROM outbox WHERE endpoint = ? AND endpoint <> ''", (id,))

        await self.database.write(work)


def _values(endpoint: WebhookEndpoint) -> tuple[Any, ...]:
    return (
        *(endpoint.id, endpoint.account_id, endpoint.url, " ".join(endpoint.events), endpoint.model),
        *(int(endpoint.enabled), endpoint.disabled_reason, endpoint.secret, endpoint.previous),
        *(stored(endpoint.rotated_at), stored(endpoint.failing_since), stored(endpoint.created_at)),
    )


def _endpoint(row: sqlite3.Row) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=row["id"],
        account_id=row["account_id"],
        url=row["url"],
        events=tuple(row["events"].split()),
        model=row["model"],
        enabled=bool(row["enabled"]),
        disabled_reason=row["disabled_reason"],
        secret=row["secret"],
        previous=row["previous"],
        rotated_at=moment(row["rotated_at"]),
        failing_since=moment(row["failing_since"]),
        created_at=moment(row["created_at"]),
    )
