"""Run a script where only an official Python client is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.live import LivePlatform, own_environment, run


def installed(home: Path, client: str, *options: str, env: Mapping[str, str] | None = None) -> Path:
    """Make an environment in `home` that holds the client alone, and return its Python."""
    python = home / "venv" / "bin" / "python"
    env = own_environment(home) if env is None else env
    run("uv", "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home, env=env)
    run("uv", "pip", "install", "--quiet", *options, "--python", python, client, cwd=home, env=env)
    return python


def answers(platform: LivePlatform, home: Path, script: Path, client: str, *options: str) -> dict[str, Any]:
    """Make an environment in `home`, run the script there against the platform, and return what it printed last."""
    python = installed(home, client, *options, env=platform.env)
    done = run(python, script, platform.owner, json.dumps(platform.versions), cwd=home, env=platform.env)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
