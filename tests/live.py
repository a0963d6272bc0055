"""A platform that really runs, once for the whole session: `cogyard up` in a process of its own, with models pushed.

Tests that use it belong to the xdist group "platform", so that one worker starts one platform.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.instances.probe import probe_sandbox

MODELS = Path(__file__).parent / "models"
BIN = Path(sys.executable).parent
START_SECONDS = 60
MODEL_NAMES = ("hello", "copy", "count", "learn")


@dataclass(kw_only=True)
class LivePlatform:
    """Where it is, who owns it, and what was pushed."""

    address: str
    token: str
    owner: str
    env: Mapping[str, str]
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """`host:port`, as `cog push` wants it."""
        return self.address.removeprefix("http://")

    def http(self, *, token: str | None = None) -> httpx2.Client:
        """Return a client of the API with the owner's token, or another one."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx2.Client(base_url=self.address, headers=headers, timeout=90)

    def cog(self, *arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a cog command as this platform's owner."""
        return run(BIN / "cog", *arguments, cwd=cwd, env=self.env, check=check)

    def push(self, project: Path, name: str) -> str:
        """Build a project, push it as `owner/name` and return the version's id."""
        self.cog("push", f"{self.host}/{self.owner}/{name}", cwd=project)
        with self.http() as http:
            model: dict[str, Any] = http.get(f"/v1/models/{self.owner}/{name}").raise_for_status().json()
        version: str = model["latest_version"]["id"]
        return version


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str], check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command; with `check`, fail the test with all it printed when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if check and done.returncode:
        pytest.fail(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def own_environment(home: Path) -> dict[str, str]:
    """Return an environment without anyone's credentials, whose caches are shared with the machine's user."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("REPLICATE_", "COGYARD_DATA"))
    }
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{kept['PATH']}",
        "DOCKER_CONFIG": str(home / "docker"),
        "UV_PYTHON_DOWNLOADS": "never",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def live_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """Start the platform, log in, push the small models; stop it all at the end of the session."""
    home = tmp_path_factory.mktemp("live")
    env, ready = own_environment(home), home / "ready.json"
    command = [
        BIN / "cogyard",
        "up",
        "--port",
        str(free_port()),
        "--data-dir",
        home / "data",
        "--admin",
        "tester",
        # The same on machines with Docker and without: giving it each image would be most of these tests' time.
        "--runtime",
        "sandbox" if probe_sandbox().reason is None else "process",
    ]
    log = (home / "platform.log").open("wb")
    child = subprocess.Popen(
        [str(part) for part in (*command, "--ready-file", ready)],
        env=env,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _until_ready(child, ready, home / "platform.log")
        told = json.loads(ready.read_text())
        env |= {"REPLICATE_BASE_URL": told["address"], "REPLICATE_API_TOKEN": told["token"]}
        platform = LivePlatform(address=told["address"], token=told["token"], owner="tester", env=env)
        subprocess.run(
            [str(BIN / "cog"), "login", platform.host, "--token-stdin"],
            input=told["token"], text=True, env=env, check=True, capture_output=True, cwd=home,
        )  # fmt: skip
        for name in MODEL_NAMES:
            project = home / name
            shutil.copytree(MODELS / name, project)
            platform.versions[name] = platform.push(project, name)
        yield platform
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()


def _until_ready(child: subprocess.Popen[bytes], ready: Path, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready.exists():
        if child.poll() is not None or time.monotonic() > end:
            pytest.fail(f"cogyard up did not start (exit status {child.poll()}):\n{log.read_text()}")
        time.sleep(0.05)
