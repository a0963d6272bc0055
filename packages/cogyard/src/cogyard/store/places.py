"""Whose turn it is in the queue of a deployable, and where one stands in it.

Theory of operation: accounts take turns. A new place of an account is one round behind the last of its places that
wait, and not before the round that is served now, which is the first place's. So an account that asks for a thousand
has them in a thousand rounds, and one that asks for its first waits for one of each other account. Places are the
account's and not a prediction's: which of its predictions takes the place says its urgency, and then who came first.
The two trade rounds then, so that each round is used once. All but a position is found in indexes, whatever waits.
"""

from __future__ import annotations

import sqlite3

#: The last round in which an account has a place.
LAST = "SELECT max(turn) FROM queue WHERE deployable = ?1 AND account_id = ?2 AND lease_token IS NULL"
#: The round that is served now.
SERVED = "SELECT min(turn) FROM queue WHERE deployable = ?1 AND lease_token IS NULL"
#: The first place of a deployable.
FIRST = (
    "SELECT rank, turn, account_id FROM queue WHERE deployable = ? AND lease_token IS NULL"
    " ORDER BY turn, rank LIMIT 1"
)
#: Which of an account's predictions takes its first place.
TAKER = (
    "SELECT rank, turn, prediction_id FROM queue WHERE deployable = ? AND account_id = ? AND lease_token IS NULL"
    " ORDER BY urgency, rank LIMIT 1"
)
#: Whether anything waits at a deployable.
ANY = "SELECT 1 FROM queue WHERE deployable = ? AND lease_token IS NULL LIMIT 1"

#: The deployable of a prediction that waits, and how many places there are up to that of its account that it will take.
POSITION = """
WITH
  mine AS (
    SELECT deployable, account_id, urgency, rank FROM queue WHERE prediction_id = ? AND lease_token IS NULL
  ),
  own AS (
    SELECT o.turn, o.rank, (o.urgency, o.rank) < (mine.urgency, mine.rank) AS sooner FROM mine JOIN queue AS o
    ON o.deployable = mine.deployable AND o.account_id = mine.account_id AND o.lease_token IS NULL
  ),
  place AS (
    SELECT turn, rank FROM own ORDER BY turn, rank LIMIT 1 OFFSET (SELECT coalesce(sum(sooner), 0) FROM own)
  )
SELECT mine.deployable, (
  SELECT count(*) FROM queue AS o WHERE o.deployable = mine.deployable AND o.lease_token IS NULL
  AND (o.turn, o.rank) <= (place.turn, place.rank)
) AS position FROM mine, place
"""


_TURN = f"SELECT max(coalesce(({LAST}) + 1, 0), coalesce(({SERVED}), 0))"


def turn_of(db: sqlite3.Connection, deployable: str, account_id: int) -> int:
    """Return the round of an account's new place."""
    turn: int = db.execute(_TURN, (deployable, account_id)).fetchone()[0]
    return turn


def next_of(db: sqlite3.Connection, deployable: str) -> str | None:
    """Return the prediction whose turn it is, in the first place that there is; None when none waits."""
    first = db.execute(FIRST, (deployable,)).fetchone()
    if first is None:
        return None
    rank, turn, account_id = first
    taker, taker_turn, prediction_id = db.execute(TAKER, (deployable, account_id)).fetchone()
    if taker != rank:
        trade = "UPDATE queue SET turn = ? WHERE rank = ?"
        db.execute(trade, (taker_turn, rank))
        db.execute(trade, (turn, taker))
    found: str = prediction_id
    return found


def waits(db: sqlite3.Connection, deployable: str) -> bool:
    """Say whether anything waits at a deployable."""
    return db.execute(ANY, (deployable,)).fetchone() is not None
