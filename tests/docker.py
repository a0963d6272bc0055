"""A Docker engine, once for the whole session: the one that runs, or a dockerd of the tests' own.

Tests that use it belong to the xdist group "docker", so that one worker starts one engine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

WAIT_SECONDS = 240
"""For the tests of another run on this machine: there can be one dockerd in a network namespace."""


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

    There can be one dockerd in a network namespace, so whoever uses or starts one holds a lock.
    """
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    config = tmp_path_factory.mktemp("docker-config")
    with _only_one():
        for host in _engines():
            if Docker(host, config)("version").returncode == 0:
                yield Docker(host, config)
                return
        if shutil.which("dockerd") is None or os.geteuid() != 0:
            pytest.skip("no Docker engine runs, and starting one needs dockerd and root")
        # Unix sockets' paths are short: not below pytest's folder.
        with (
            tempfile.TemporaryDirectory(prefix="cogyard-dockerd-", ignore_cleanup_errors=True) as folder,
            _dockerd(Path(folder), config) as started,
        ):
            yield started


def _missing(why: str) -> NoReturn:
    """Skip, where a machine may lack the part; in CI, which installs it, that is a failure."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold a name that only one process of a network namespace can have; whatever ends it gives the name back."""
    with socket.socket(socket.AF_UNIX) as name:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                name.bind("\0cogyard-test-dockerd")
            except OSError:
                if time.monotonic() > deadline:
                    _missing(f"other tests have used Docker for {WAIT_SECONDS} seconds")
                time.sleep(0.2)
            else:
                break
        yield


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
def _dockerd(folder: Path, config: Path) -> Iterator[Docker]:
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
            yield docker
        finally:
            process.terminate()
            process.wait(30)
