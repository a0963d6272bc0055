"""The Pythons of this machine that the SDK promises to run on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PROMISED = ("3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> Path | None:
    """Return a Python of the version: one on the PATH, else one of pyenv's; None when there is none."""
    found = shutil.which(f"python{version}")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    own = sorted((root / "versions").glob(f"{version}.*/bin/python"))
    for path in [*([Path(found)] if found else []), *reversed(own)]:
        if _version(path) == version:
            return path
    return None


def _version(path: Path) -> str | None:
    """Return the version that a program says it is; a shim of pyenv may lead nowhere."""
    script = "import sys; print('{}.{}'.format(*sys.version_info[:2]))"
    try:
        done = subprocess.run([path, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
