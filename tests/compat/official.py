"""Run a script where only an official Python client is installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from tests.live import LivePlatform, own_environment, run

CLIENT = Path(__file__).parents[2] / "packages" / "client" / "src"


def installed(home: Path, client: str, *options: str, env: Mapping[str, str] | None = None) -> Path:
    """Make an environment in `home` that holds the client alone, and return its Python."""
    python = home / "venv" / "bin" / "python"
    env = own_environment(home) if env is None else env
    run("uv", "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home, env=env)
    run("uv", "pip", "install", "--quiet", *options, "--python", python, client, cwd=home, env=env)
    return python


def answers(
    platform: LivePlatform, home: Path, script: Path, mark: str, client: str, *options: str
) -> dict[str, Any]:
    """Make an environment in `home`, run the script there against the platform, and return what it printed last.

    What the script makes on the platform is named with `mark`.
    """
    return _run(installed(home, client, *options, env=platform.env), platform, home, script, mark)


def answers_of_ours(
    platform: LivePlatform,
    home: Path,
    script: Path,
    mark: str,
    *,
    python: Path | None = None,
    beside: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run the script with our client, as `answers` does: with other packages beside it, or by another Python."""
    if python is None and not beside:
        return _run(Path(sys.executable), platform, home, script, mark)
    packages = [*beside, *(requires("cogyard-client") or [] if python else [])]
    target = ("--target", home / "packages", *(("--python", python) if python else ()))
    run("uv", "pip", "install", "--quiet", *target, *packages, cwd=home, env=platform.env)
    path = f"{home / 'packages'}{os.pathsep}{CLIENT}"
    env = {**platform.env, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return _run(python or Path(sys.executable), platform, home, script, mark, env=env)


def _run(
    python: Path,
    platform: LivePlatform,
    home: Path,
    script: Path,
    mark: str,
    *,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    versions = json.dumps(platform.versions)
    done = run(python, script, platform.owner, versions, mark, cwd=home, env=env or platform.env)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
