"""Predictions and tickets as rows, and rows as predictions and tickets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import astuple

from cogyard.domain.values import Kind, Prediction, Status
from cogyard.features.predictions.ports import Lease, Ticket
from cogyard.store.rows import from_json, to_json
from cogyard.store.times import moment, stored


def _words(value: tuple[str, ...]) -> str:
    return " ".join(value)


def _json_or_null(value: Any) -> str | None:
    return None if value is None else to_json(value)


def _text_or_null(value: str) -> str | None:
    return value or None


# How each field of a prediction is kept, in the column of its name; None is as it is.
_KEPT: Mapping[str, Callable[[Any], Any] | None] = {
    "id": None,
    "account_id": None,
    "model": None,
    "version": None,
    "status": str,
    "source": None,
    "input": to_json,
    "secret_inputs": _words,
    "output": _json_or_null,
    "error": None,
    "logs": None,
    "metrics": to_json,
    "created_at": stored,
    "started_at": stored,
    "completed_at": stored,
    "deadline": stored,
    "stream_token": None,
    "origin": None,
    "webhook": None,
    "webhook_events": _words,
    "data_removed": int,
    "attempts": None,
    "deployment": None,
    "deployment_id": None,
    "kind": str,
    "destination": None,
    "asked_by": None,
    "trace": _text_or_null,
}


_FIELDS = tuple((name, _KEPT[name]) for name in Prediction.__struct_fields__)

# Columns that hold what callers and models wrote, of any size.
_LARGE = ("input", "output", "error", "logs")


def prediction_columns(prediction: Prediction) -> dict[str, Any]:
    """Return what the row of a prediction holds, by column."""
    return {
        name: value if keep is None else keep(value)
        for (name, keep), value in zip(_FIELDS, astuple(prediction), strict=True)
    }


def changed_columns(before: Prediction, after: Prediction) -> dict[str, Any]:
    """Return the columns in which two states of a prediction differ; what is the same is not encoded."""
    if before is after:
        return {}
    return {
        name: new if keep is None else keep(new)
        for (name, keep), old, new in zip(_FIELDS, astuple(before), astuple(after), strict=True)
        if old is not new and old != new
    }


def prediction_of(row: sqlite3.Row) -> Prediction:
    """Make a prediction of its row."""
    # Rows find a column by comparing names; all at once, by place, takes a fifth of that.
    kept = dict(zip(row.keys(), row, strict=True))
    return Prediction(
        id=kept["id"],
        account_id=kept["account_id"],
        model=kept["model"],
        version=kept["version"],
        status=Status(kept["status"]),
        source=kept["source"],
        input=from_json(kept["input"]),
        secret_inputs=tuple(kept["secret_inputs"].split()),
        output=None if kept["output"] is None else from_json(kept["output"]),
        error=kept["error"],
        logs=kept["logs"],
        metrics=from_json(kept["metrics"]),
        created_at=moment(kept["created_at"]),
        started_at=moment(kept["started_at"]),
        completed_at=moment(kept["completed_at"]),
        deadline=moment(kept["deadline"]),
        stream_token=kept["stream_token"],
        origin=kept["origin"],
        webhook=kept["webhook"],
        webhook_events=tuple(kept["webhook_events"].split()),
        data_removed=bool(kept["data_removed"]),
        attempts=kept["attempts"],
        deployment=kept["deployment"],
        deployment_id=kept["deployment_id"],
        kind=Kind(kept["kind"]),
        destination=kept["destination"],
        asked_by=kept["asked_by"],
        trace=kept["trace"] or "",
    )


def shown_bytes(row: sqlite3.Row) -> int:
    """Return about how many bytes a prediction's row has when it is shown: of what can be large."""
    return sum(len((row[name] or "").encode()) for name in _LARGE)


def ticket_columns(ticket: Ticket) -> Mapping[str, Any]:
    """Return what the row of a ticket holds, by column."""
    lease = ticket.lease
    return {
        "deployable": ticket.deployable,
        "claims": ticket.claims,
        "deadline": stored(ticket.deadline),
        "lease_token": None if lease is None else lease.token,
        "lease_expires_at": None if lease is None else stored(lease.expires_at),
        "instance": None if lease is None else lease.instance,
    }


def ticket_of(row: sqlite3.Row) -> Ticket | None:
    """Make a ticket of a joined row; None when there is none."""
    if row["deployable"] is None:
        return None
    lease = None
    if row["lease_token"] is not None:
        expires_at = moment(row["lease_expires_at"])
        lease = Lease(token=row["lease_token"], instance=row["instance"], expires_at=expires_at)
    return Ticket(
        deployable=row["deployable"],
        claims=row["claims"],
        deadline=moment(row["ticket_deadline"]),
        lease=lease,
        urgency=row["urgency"],
        idempotent=bool(row["idempotent"]),
    )
