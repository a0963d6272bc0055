"""New databases in a moment: copies of one that was made once, whose commits do not wait for the disk."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from cogyard.store.database import Database


def open_database(path: Path) -> Database:
    """Open the database at `path`; where there is none, a new one, as `Database.open` makes it.

    What it holds survives the death of its process, as ever; not that of the machine, which ends a test anyway.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(_new())
    return Database.open(path, durable=False)


@functools.cache
def _new() -> bytes:
    """Return the file of a database with this release's schema and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cogyard.db"
        # The last connection that closes folds everything into this one file.
        Database.open(path).close()
        return path.read_bytes()
