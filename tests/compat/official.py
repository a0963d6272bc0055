"""Run a script where only an official Python client is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.live import LivePlatform, run


def answers(platform: LivePlatform, home: Path, script: Path, client: str, *options: str) -> dict[str, Any]:
    """Make an environment in `home`, run the script there against the platform, and return what it printed last."""
    python = home / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home, env=platform.env)
    run("uv", "pip", "install", "--quiet", *options, "--python", python, client, cwd=home, env=platform.env)
    done = run(python, script, platform.owner, json.dumps(platform.versions), cwd=home, env=platform.env)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
