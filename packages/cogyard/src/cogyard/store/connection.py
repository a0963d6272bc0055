"""How a connection to the SQLite file is opened, and what is always set on it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cogyard.domain.search import spaced

# "Cogy" in ASCII, written into the file's header, so that another program's database is never migrated.
APPLICATION_ID = 0x436F6779
BUSY_TIMEOUT_MS = 10_000
# 16 MiB of pages a connection; negative means KiB.
CACHE_KIB = -16 * 1024
# SQLite's usual page.
PAGE_BYTES = 4096
# Pages of the log, 16 MiB, after which they are folded into the file. The same few pages change with every prediction,
# so folding a quarter as often writes little more than a quarter.
CHECKPOINT_PAGES = 4000


def connect(path: Path, *, read_only: bool = False, durable: bool = True) -> sqlite3.Connection:
    """Open `path` with our settings; transactions are begun and ended by hand.

    Without `durable` a commit does not wait for the disk: what it kept outlives the process, not the machine.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    # WAL lets readers go on while the writer commits; FULL makes each commit survive a power cut.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = {CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # A file from elsewhere must not run SQL of its own through views and triggers.
    connection.execute("PRAGMA trusted_schema = OFF")
    # For migrations that index what is there already; triggers could not use it, since the schema is not trusted.
    connection.create_function("search_words", 1, spaced, deterministic=True)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection
