"""What a push of an edited line loads: half of its time is imports, and each of these is a good part of it."""

from __future__ import annotations

import subprocess
import sys

LATER = {
    "anyio",
    "backports.zstd",
    "cogyard.engine",
    "configparser",
    "csv",
    "zipfile",
    "compression.zstd",
    "debian",
    "email",
    "h11",
    "httpcore2",
    "httpx2",
    "importlib.metadata",
    "packaging",
    "pathspec",
    "rich",
}
"""Modules that a push needs when something is new, far away, or shown on a terminal."""
_CODE = (
    "import sys, cogyard.cli.groups, cogyard.cli.push, cogyard.cli.prepare, cogyard.image.sender, cogyard.image.build,"
    " cogyard.oci.plain_network, cogyard.project.schema, cogyard.environment.locking; print(*sys.modules)"
)


def test_a_push_loads_only_what_every_push_needs() -> None:
    """HTTP clients, resolvers and what reads foreign archives come when they are first needed."""
    done = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True, text=True)
    assert not LATER & set(done.stdout.split())
