"""What the model server loads at its start, which every cold start of a model waits for."""

from __future__ import annotations

import subprocess
import sys

LATER = {
    "importlib.metadata",
    "email",
    "httpx2",
    "http.client",
    "opentelemetry",
    "multiprocessing",
    "sqlite3",
}
"""Modules that some requests need, and no start does: several milliseconds each."""
_CODE = (
    "import sys, cog_server.serving, uvloop, cog_server.app, cog_server.echo, cog_server.front.server,"
    " cog_server.ready_file, cog_server.runner; print(*sys.modules)"
)


def test_the_start_loads_only_what_every_server_needs() -> None:
    """HTTP clients, tracing and package metadata come when they are first needed."""
    done = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()).isdisjoint(LATER)
