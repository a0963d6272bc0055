"""A registry of alice and bob as a process of its own, to be killed: `python serving.py FOLDER PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from cogyard.testing.local_registry import LocalRegistry


def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    registry = LocalRegistry.open(folder)
    registry.people.models["alice/model"] = True
    uvicorn.run(registry.app, port=port, log_level="error", lifespan="off")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
