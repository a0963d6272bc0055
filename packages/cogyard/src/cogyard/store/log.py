"""Room for SQLite's write-ahead log, made before it is needed.

A commit that makes the log's file longer waits for the file system's own records as well as for the data: 0.25 ms on
a machine where a commit within the file takes 0.10 (ext4, fdatasync of 20 KiB). SQLite begins the log anew after each
checkpoint and never makes its file shorter, so once it is as long as it gets, no commit makes it longer. What lies
behind its last frame is not read: a frame counts only with the salt and checksum of the log that it is part of.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from cogyard.store.connection import CHECKPOINT_PAGES, PAGE_BYTES

_FRAME_HEADER, _LOG_HEADER = 24, 32
#: Pages of the commit after which the log is folded into the database, beside those before it.
_LAST_COMMIT = 256
#: As long as the log gets.
LOG_BYTES = _LOG_HEADER + (CHECKPOINT_PAGES + _LAST_COMMIT) * (PAGE_BYTES + _FRAME_HEADER)
_CHUNK = 1 << 20


def allocate(connection: sqlite3.Connection) -> None:
    """Make the log of a database as long as it gets; where there is no room for that, leave it as it is.

    To be called in a transaction that writes: nobody else may make the log longer meanwhile. Blocks for some 40 ms.
    SQLite holds no lock on this file itself, so opening and closing it frees none.
    """
    _, _, database = connection.execute("PRAGMA database_list").fetchone()
    with suppress(OSError), Path(f"{database}-wal").open("r+b", buffering=0) as log:
        before = os.fstat(log.fileno()).st_size
        try:
            _lengthen(log.fileno(), before)
        except OSError:
            os.ftruncate(log.fileno(), before)


def _lengthen(log: int, size: int) -> None:
    # Written, not reserved: the first write to a reserved block is a record of the file system's again.
    while size < LOG_BYTES:
        size += os.pwrite(log, bytes(min(_CHUNK, LOG_BYTES - size)), size)
    os.fsync(log)
