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
    "dataclasses",
    "zipfile",
    "compression.zstd",
    "debian",
    "difflib",
    "email",
    "h11",
    "httpcore2",
    "httpx2",
    "importlib.metadata",
    "netrc",
    "packaging",
    "pathspec",
    "rich",
    "secrets",
    "shutil",
    "sysconfig",
    "tarfile",
    "tempfile",
    "tomllib",
    "yaml",
}
"""Modules that a push needs when something is new, far away, or shown on a terminal."""
_LOAD = (
    "import sys, cogyard.cli.groups, cogyard.cli.push, cogyard.cli.prepare, cogyard.image.sender, cogyard.image.build,"
    " cogyard.oci.plain_network, cogyard.project.schema, cogyard.environment.locking\n"
)

_NAME_DATACLASSES = """
for name, module in [*sys.modules.items()]:
    for one in vars(module).values() if name.startswith(("cogyard.", "cog.")) else ():
        if isinstance(one, type) and one.__module__ == name and "__dataclass_fields__" in vars(one):
            print(f"{name}.{one.__qualname__}")
"""


def test_a_push_loads_only_what_every_push_needs() -> None:
    """HTTP clients, resolvers and what reads foreign archives come when they are first needed."""
    assert not LATER & set(_run(f"{_LOAD}print(*sys.modules)"))


def test_values_that_a_push_loads_are_structs() -> None:
    """A dataclass takes a millisecond to define and a struct 30 microseconds; a push defines sixty values."""
    assert not _run(_LOAD + _NAME_DATACLASSES)


def _run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()
