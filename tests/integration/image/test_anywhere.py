"""One image, built without an engine, run by three that know nothing of us: Docker, podman and bubblewrap."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.image.archive import write_archive
from cogyard.oci.layout import StoredImage

from tests.docker import Docker
from tests.integration.image.conftest import Built
from tests.integration.image.test_step_engines import podman_client

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("images"),
]

#: Runs inside: start the image's own command beside this, ask for one prediction, and print it.
ASK = """
import json, os, subprocess, sys, time, urllib.request
server = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
body = json.dumps({"input": {"text": "<you>"}}).encode()
call = urllib.request.Request("http://127.0.0.1:5000/predictions", body, {"Content-Type": "application/json"})
for _ in range(300):
    try:
        print(json.load(urllib.request.urlopen(call))["output"])
        break
    except OSError:
        time.sleep(0.1)
server.terminate()
server.wait()
"""


@pytest.fixture
def image(built: Built) -> StoredImage:
    """Give the small project's image."""
    return built.store.image(built.image.reference)


def asking(image: StoredImage) -> list[str]:
    """Return the words that run the image's command and ask it."""
    assert image.config.config is not None
    return ["python", "-c", ASK, *(image.config.config.cmd or [])]


def output(command: list[str]) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.docker
def test_docker(built: Built, image: StoredImage, docker: Docker, tmp_path: Path) -> None:
    """Docker loads the archive and runs it with no network."""
    with (tmp_path / "image.tar").open("wb") as file:
        write_archive(built.store, image, file)
    assert docker("load", "--input", str(tmp_path / "image.tar")).returncode == 0
    done = docker("run", "--rm", "--network", "none", image.name, *asking(image))
    assert done.stdout.decode().strip() == "hello &lt;you&gt;", done.stderr


@pytest.fixture(scope="module")
def podman(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the podman command with settings that work here, which has loaded the image's archive."""
    archive = tmp_path_factory.mktemp("archive") / "image.tar"
    with (
        tempfile.TemporaryDirectory(prefix="cogyard-podman-") as folder,
        pytest.MonkeyPatch.context() as patch,
        podman_client(Path(folder), patch) as it,
    ):
        with archive.open("wb") as file:
            write_archive(built.store, built.store.image(built.image.reference), file)
        output([str(it.program), "load", "--input", str(archive)])
        archive.unlink()
        yield str(it.program)


def test_podman(image: StoredImage, podman: str) -> None:
    """Podman loads the same archive and gives the same prediction."""
    assert (
        output([podman, "run", "--rm", "--network", "none", image.name, *asking(image)])
        == "hello &lt;you&gt;"
    )


def test_bubblewrap(built: Built, image: StoredImage, tmp_path: Path) -> None:
    """Unpacked by umoci from the local store, it runs in bubblewrap: read-only, with no network and no engine.

    Also by the command that Cog's images have.
    """
    if shutil.which("bwrap") is None or shutil.which("umoci") is None or os.geteuid() != 0:
        pytest.skip("bubblewrap or umoci is not installed, or this is not root")
    bundle = tmp_path / "bundle"
    output(["umoci", "unpack", "--image", f"{built.store.root}:{image.name}", str(bundle)])
    assert image.config.config is not None
    command = ["bwrap", "--ro-bind", str(bundle / "rootfs"), "/", "--proc", "/proc", "--dev", "/dev"]
    command += ["--tmpfs", "/tmp", "--unshare-all", "--die-with-parent", "--chdir", "/src", "--clearenv"]
    for variable in image.config.config.env or []:
        command += ["--setenv", *variable.split("=", 1)]
    command += image.config.config.entrypoint or []
    assert output([*command, *asking(image)]) == "hello &lt;you&gt;"
    by_cogs_name = ["python", "-m", "cog.server.http", "--threads", "4"]
    assert output([*command, "python", "-c", ASK, *by_cogs_name]) == "hello &lt;you&gt;"
