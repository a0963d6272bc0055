"""A Docker engine, once for the whole session: the one that runs, or a dockerd of the tests' own.

Tests that use it belong to the xdist group "docker" or "images", so that two workers share one engine at most: the
first is of what runs containers, the second of what makes images, and of all that runs podman, whose stores of one
machine share their locks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.sharing import TakenError, shared

WAIT_SECONDS = 240
"""For the tests of another run on this machine: there can be one dockerd in a network namespace."""
NAME = "cogyard-test-dockerd"


@dataclass(frozen=True)
class Docker:
    """A Docker engine to talk to, with a folder of its own for what its client remembers."""

    host: str
    config: Path

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a command of its client, for a minute at most."""
        return subprocess.run(
            ["docker", "--config", str(self.config), "--host", self.host, *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """Give the Docker engine that runs, or run one.

    There can be one dockerd in a network namespace, so one run at a time uses or starts one, with all its workers.
    """
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    config = tmp_path_factory.mktemp("docker-config")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"process {os.getpid()}")
    try:
        with shared(NAME, run, lambda: _engine(config), patience=WAIT_SECONDS) as host:
            yield Docker(host, config)
    except TakenError:
        _missing(f"other tests have used Docker for {WAIT_SECONDS} seconds")


def _missing(why: str) -> NoReturn:
    """Skip, where a machine may lack the part; in CI, which installs it, that is a failure."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _engine(config: Path) -> Iterator[str]:
    """Find or start an engine; give its address, and stop what was started."""
    for host in _engines():
        if Docker(host, config)("version").returncode == 0:
            yield host
            return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no Docker engine runs, and starting one needs dockerd and root")
    # Unix sockets' paths are short: not below pytest's folder.
    with (
        tempfile.TemporaryDirectory(prefix="cogyard-dockerd-", ignore_cleanup_errors=True) as folder,
        _dockerd(Path(folder), config) as started,
    ):
        yield started


def _engines() -> Iterator[str]:
    """Name the engines that may be running: the one of the environment, the usual one, any other of ours."""
    if "DOCKER_HOST" in os.environ:
        yield os.environ["DOCKER_HOST"]
    yield "unix:///var/run/docker.sock"
    here = Path("/proc/self/ns/net")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            near = (process / "ns" / "net").readlink() == here.readlink()
        except OSError:
            continue
        if near and Path(words[0]).name == "dockerd":
            yield from (word for word in words if word.startswith("unix://"))


@contextmanager
def _dockerd(folder: Path, config: Path) -> Iterator[str]:
    docker = Docker(f"unix://{folder}/d.sock", config)
    command = ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    command += ["-H", docker.host, "-p", str(folder / "d.pid"), "--insecure-registry", "127.0.0.0/8"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while docker("version").returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    last = (folder / "log").read_text().strip().splitlines()[-1:]
                    _missing(f"dockerd does not start here: {last}")
                time.sleep(0.3)
            yield docker.host
        finally:
            process.terminate()
            process.wait(30)
