"""The questions that are asked all the time are answered from an index, however much there is."""

# Statements are put together from constants of the store.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cogyard.features.predictions.ports import Stages
from cogyard.store import limits, outbox, places, predictions, retention, usage
from cogyard.store.database import Database

QUESTIONS = {
    "the first place of a deployable": (places.FIRST, "queue_waiting (deployable=?)"),
    "who takes it": (places.TAKER, "queue_own (deployable=? AND account_id=?)"),
    "the last round of an account": (places.LAST, "queue_own_turns (deployable=? AND account_id=?)"),
    "the round that is served": (places.SERVED, "queue_waiting (deployable=?)"),
    "what waits": (
        "SELECT deployable, count(*) FROM queue WHERE lease_token IS NULL GROUP BY deployable",
        "queue_",
    ),
    "what waits of each account": (
        "SELECT deployable, account_id, count(*) FROM queue WHERE lease_token IS NULL GROUP BY deployable, account_id",
        "queue_own_turns",
    ),
    "expired leases": (
        "SELECT prediction_id FROM queue WHERE lease_token IS NOT NULL AND lease_expires_at <= ? LIMIT 9",
        "queue_leases (lease_expires_at<?)",
    ),
    "the holder of a lease": (f"{predictions._RECORD} WHERE q.lease_token = ?", "queue_held (lease_token=?)"),
    "a prediction": (f"{predictions._RECORD} WHERE p.id = ?", "sqlite_autoindex_predictions_1 (id=?)"),
    "a stream": (
        f"{predictions._RECORD} WHERE p.stream_token = ?",
        "sqlite_autoindex_predictions_2 (stream_token=?)",
    ),
    "a page of predictions": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND kind = 'prediction' AND (id) < (?)"
            " ORDER BY id DESC LIMIT 9"
        ),
        "predictions_by_account (account_id=? AND id<?)",
    ),
    "a page of one model's predictions": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND model = ? AND kind = 'prediction' AND (id) < (?)"
            " ORDER BY id DESC LIMIT 9"
        ),
        "predictions_by_model (account_id=? AND model=? AND id<?)",
    ),
    "a page of predictions that failed": (
        (
            f"SELECT * FROM predictions WHERE account_id = ? AND {predictions._STAGES[Stages.FAILED]}"
            " AND kind = 'prediction' AND (id) < (?) ORDER BY id DESC LIMIT 9"
        ),
        "predictions_unsuccessful (account_id=? AND id<?)",
    ),
    "a page of one model's predictions that failed": (
        (
            f"SELECT * FROM predictions{predictions._HINTS[Stages.FAILED]} WHERE account_id = ? AND model = ?"
            f" AND {predictions._STAGES[Stages.FAILED]} AND kind = 'prediction' AND (id) < (?)"
            " ORDER BY id DESC LIMIT 9"
        ),
        "predictions_unsuccessful (account_id=? AND id<?)",
    ),
    "a page of predictions made on pages": (
        (
            f"SELECT * FROM predictions WHERE account_id = ? AND {predictions._FROM_WEB} AND kind = 'prediction'"
            " AND (id) < (?) ORDER BY id DESC LIMIT 9"
        ),
        "predictions_from_web (account_id=? AND id<?)",
    ),
    "a page of predictions that wait or run": (
        (
            f"SELECT * FROM predictions{predictions._HINTS[Stages.RUNNING]} WHERE account_id = ?"
            f" AND {predictions._STAGES[Stages.RUNNING]} AND kind = 'prediction' AND (id) < (?)"
            " ORDER BY id DESC LIMIT 9"
        ),
        "sqlite_autoindex_predictions_1 (id=?)",
    ),
    "a page of models": (
        (
            "SELECT * FROM models WHERE visibility = 'public' AND (latest_version_at, id) < (?, ?)"
            " ORDER BY latest_version_at DESC, id DESC LIMIT 9"
        ),
        "models_public_by_version (latest_version_at<?)",
    ),
    "a page of a deployment's predictions": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND deployment_id IS NOT NULL AND deployment_id = ?"
            " AND kind = 'prediction' AND (id) < (?) ORDER BY id DESC LIMIT 9"
        ),
        "predictions_by_deployment (deployment_id=? AND id<?)",
    ),
    "a page of a deployment's predictions of one version": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND version = ? AND deployment_id IS NOT NULL"
            " AND deployment_id = ? AND kind = 'prediction' AND (id) < (?) ORDER BY id DESC LIMIT 9"
        ),
        "predictions_of_deployed_version (deployment_id=? AND version=? AND id<?)",
    ),
    "a page of a deployment's predictions of one member": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND asked_by = ? AND deployment_id IS NOT NULL"
            " AND deployment_id = ? AND kind = 'prediction' AND (id) < (?) ORDER BY id DESC LIMIT 9"
        ),
        "predictions_of_deployment_by_asker (deployment_id=? AND asked_by=? AND id<?)",
    ),
    "a page of trainings": (
        (
            "SELECT * FROM predictions WHERE account_id = ? AND kind = 'training' AND (id) < (?)"
            " ORDER BY id DESC LIMIT 9"
        ),
        "predictions_trainings (account_id=? AND id<?)",
    ),
    "a page of webhooks' tries": (
        "SELECT * FROM webhook_calls WHERE account_id = ? AND (rank) < (?) ORDER BY rank DESC LIMIT 9",
        "webhook_calls_by_account (account_id=? AND rank<?)",
    ),
    "a page of deployments": (
        "SELECT * FROM deployments WHERE owner_id = ? AND (id) < (?) ORDER BY id DESC LIMIT 9",
        "deployments_by_owner (owner_id=? AND id<?)",
    ),
    "a page of examples": (
        "SELECT * FROM examples WHERE model_id = ? AND (rank) < (?) ORDER BY rank DESC LIMIT 9",
        "examples_by_model (model_id=? AND rank<?)",
    ),
    "a token": ("SELECT account_id FROM tokens WHERE hash = ?", "sqlite_autoindex_tokens_1 (hash=?)"),
    "a session": (
        "SELECT account_id FROM sessions WHERE hash = ? AND expires_at > ?",
        "PRIMARY KEY (hash=?)",
    ),
    "an account's tries to one endpoint": (
        (
            "SELECT * FROM webhook_calls WHERE account_id = ? AND endpoint <> '' AND endpoint = ? AND (rank) < (?)"
            " ORDER BY rank DESC LIMIT 9"
        ),
        "webhook_calls_of_endpoint (endpoint=? AND rank<?)",
    ),
    "what holds data of an account": (
        retention.OF_ACCOUNT,
        "predictions_by_account (account_id=? AND id>? AND id<?)",
    ),
    "what holds data of a deployment": (
        retention.OF_DEPLOYMENT,
        "predictions_by_deployment (deployment_id=? AND id>? AND id<?)",
    ),
    "what holds data of a version": (
        retention.OF_VERSION,
        "predictions_by_version (version=? AND model_id=? AND rowid>?)",
    ),
    "what was asked of a limited version lately": (
        limits.LATELY,
        "predictions_by_version (version=? AND model_id=? AND rowid>?)",
    ),
    "what holds data": (retention.ALL, "sqlite_autoindex_predictions_1 (id>? AND id<?)"),
    "letters that are due": (outbox._DUE, "outbox_due (due_at<?)"),
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    """Return a connection to an empty database of this release."""
    path: Path = tmp_path_factory.mktemp("plans") / "cogyard.db"
    Database.open(path).close()
    return sqlite3.connect(path)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_from_its_index(connection: sqlite3.Connection, question: str) -> None:
    """No scan of a table and no sorting of what was found; counting what waits walks only what waits."""
    sql, index = QUESTIONS[question]
    values = (1,) * sql.count("?")
    plan = "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
    assert f"INDEX {index}" in plan or f"USING {index}" in plan
    assert "SCAN" not in plan.replace(f"SCAN queue USING INDEX {index}", "")
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("account_id = :whose", "PRIMARY KEY (account_id=? AND hour>?)"),
        ("model_id = :whose", "INDEX prediction_hours_of_model (model_id=? AND hour>?)"),
        (usage.OF_DEPLOYMENT, "INDEX prediction_hours_of_deployment (deployment_id=? AND hour>?)"),
    ],
)
def test_a_chart_reads_its_own_hours_alone(connection: sqlite3.Connection, where: str, index: str) -> None:
    """What is counted of others, and of older hours, is not looked at."""
    sql = usage.TALLIES.format(where)
    plan = "\n".join(
        row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", {"whose": 1, "first": 1, "step": 6})
    )
    assert f"USING {index}" in plan
    assert "SCAN" not in plan
