"""How soon a prediction, and a page of the list, is there when the account has a million of them, over HTTP."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import hosting  # type: ignore[import-not-found]  # beside this file
import load  # type: ignore[import-not-found]  # beside this file
import models  # type: ignore[import-not-found]  # beside this file
from cogyard.domain.ids import new_capability, new_id

ROWS = 1_000_000
PAGES = 1000
ASKED = 500
AGAIN = 100

Note = Callable[[str, float], None]


def reads(folder: Path, runtime: str, rows: int, note: Note) -> None:
    """Fill a platform's database, and ask."""
    platform = hosting.Platform(folder, runtime)
    try:
        version = platform.push_predictor(models.PREDICTORS["echo"], "echo")
        client = platform.client()
        client.ask(
            "POST", "/v1/predictions", {"version": version, "input": {"text": "first"}}, prefer="wait=60"
        )
        platform.stop()
        ids = _fill(platform, rows)
        platform.start()
        _ask(platform, ids, note)
    finally:
        platform.stop()


def _ask(platform: hosting.Platform, ids: list[str], note: Note) -> None:
    connection = load.Connection(platform.port, b"", b'"succeeded"')
    chosen = random.Random(1)  # noqa: S311 - which are asked for
    headers = platform.authorized({})
    for number in range(ASKED + 50):
        connection.request = load.get(f"/v1/predictions/{chosen.choice(ids)}", headers=headers)
        taken = load.once(connection)
        if number >= 50:
            note(f"GET a prediction among {len(ids):,}, ms", 1000 * taken)
    place = "/v1/predictions"
    for page in range(1, PAGES + 1):
        connection.request = load.get(place, headers=headers)
        if page in (1, PAGES):
            for number in range(AGAIN + 5):
                taken = load.once(connection)
                if number >= 5:
                    note(f"list page {page} of {len(ids):,}, ms", 1000 * taken)
        load.once(connection)
        following = urlsplit(json.loads(connection.body())["next"])
        place = f"{following.path}?{following.query}"


def _fill(platform: hosting.Platform, rows: int) -> list[str]:
    """Write rows like the one that is there, a second apart, the last an hour ago; return their ids."""
    (file,) = platform.data.glob("*.db")
    database = sqlite3.connect(file)
    database.execute("PRAGMA cache_size = -400000")
    found = database.execute("SELECT * FROM predictions")
    names = [column[0] for column in found.description if column[0] != "rank"]
    row = dict(zip([column[0] for column in found.description], found.fetchone(), strict=True))
    del row["rank"]
    marks, ids = ", ".join("?" * len(names)), list[str]()
    made = random.Random(2)  # noqa: S311 - only has to differ

    def each() -> Iterator[tuple[object, ...]]:
        begun = time.time() - 3600 - rows
        for number in range(rows):
            moment = datetime.fromtimestamp(begun + number, UTC)
            ids.append(new_id(moment, made.randbytes(10)))
            yield (*(({**row, **_own(ids[-1], moment, made)})[name] for name in names),)

    with database:
        database.executemany(f"INSERT INTO predictions ({', '.join(names)}) VALUES ({marks})", each())  # noqa: S608 - names of the schema
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return ids


def _own(key: str, moment: datetime, made: random.Random) -> dict[str, object]:
    at = int(moment.timestamp() * 1e6)
    return {
        "id": key,
        "stream_token": new_capability(made.randbytes(20)),
        "created_at": at,
        "started_at": at + 1000,
        "completed_at": at + 2000,
    }
