"""A platform in a process of its own, small models to push to it, and what tests do with both."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.compose.datadir import DataDir
from cogyard.instances.docker import NAME
from cogyard.instances.orphans import kill_marked, marked
from cogyard.instances.probe import probe_sandbox
from cogyard.oci import descriptor as media
from cogyard.testing.images import TestImage, make_image

from tests.docker import Docker
from tests.integration.platform.leftovers import own_temporary_folder

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
COGYARD = Path(sys.executable).with_name("cogyard")
OWNER = "tester"
#: Generous: the machine may be busy with other tests.
PATIENCE = 60.0


class LivePlatform:
    """`cogyard up` on a folder; may be stopped, killed and started again."""

    python = PYTHON

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = DataDir(folder / "data")
        # Its models are files and a lock without a base: only the process runtime runs those.
        self.settings = {"runtime": "process", "idle_timeout": "60", "drain_timeout": "20"}
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx2.Client()

    def start(self, *more: str, verify: ssl.SSLContext | bool = True) -> dict[str, Any]:
        """Start it and return what the ready file says; `verify` is whom the client trusts."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        settings = {"port": "0", **self.settings}
        pairs = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        command = [str(COGYARD), "up", "--admin", OWNER, "--data-dir", str(self.data.root)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--ready-file", str(ready), *pairs, *more],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: ready.exists() or self.process is None or self.process.poll() is not None)
        if not ready.exists():
            pytest.fail(f"cogyard up ended with {self.process.poll()}:\n{self.log}")
        told: dict[str, Any] = json.loads(ready.read_text())
        self.token = told["token"] or self.token
        self.http.close()
        self.http = httpx2.Client(
            base_url=told["address"],
            headers={"authorization": f"Bearer {self.token}"},
            timeout=PATIENCE,
            verify=verify,
        )
        return told

    @staticmethod
    def file_model(*, idempotent: bool = False) -> TestImage:
        """Make a model that gives a text file back in capitals."""
        body = "out = Path('result.txt')\nout.write_text(image.read_text().upper())\nreturn out"
        return _model(body, inputs="image: Path", output="Path", idempotent=idempotent)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Return once a condition holds; fail after a long time, with the log."""
        wait_for(condition, lambda: self.log)

    @property
    def log(self) -> str:
        """All it has written."""
        return (self.folder / "log").read_text()

    def end(self, number: int) -> int:
        """Send a signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process = None
        return status

    def close(self) -> None:
        """Stop it, and make sure that nothing is left."""
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        kill_marked(f"{self.data.mark}/")

    def instances(self) -> list[int]:
        """List the processes of its instances."""
        return marked(f"{self.data.mark}/")

    def push(self, image: TestImage, name: str) -> str:
        """Push an image as any client would, and return the version's id."""
        repository = f"{OWNER}/{name}"
        auth = httpx2.BasicAuth(OWNER, self.token)
        for digest, content in image.blobs.items():
            begun = self.http.post(f"/v2/{repository}/blobs/uploads/", auth=auth).raise_for_status()
            place = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
            self.http.put(place, content=content, auth=auth).raise_for_status()
        self.http.put(
            f"/v2/{repository}/manifests/latest",
            content=image.manifest,
            headers={"content-type": media.MANIFEST},
            auth=auth,
        ).raise_for_status()
        return image.version

    def create(self, version: str, *, wait: float | None = None, **inputs: Any) -> dict[str, Any]:
        """Ask for a prediction; with `wait`, wait that many seconds for its end."""
        headers = {"prefer": f"wait={wait:g}"} if wait else {}
        answer = self.http.post(
            "/v1/predictions", json={"version": version, "input": inputs}, headers=headers
        )
        assert answer.status_code in {201, 202}, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def get(self, prediction: str) -> dict[str, Any]:
        """Return a prediction as it is."""
        found: dict[str, Any] = self.http.get(f"/v1/predictions/{prediction}").raise_for_status().json()
        return found

    def until(self, prediction: str, *statuses: str) -> dict[str, Any]:
        """Return a prediction once it has one of these statuses; by default, once it has ended."""
        wanted = statuses or ("succeeded", "failed", "canceled", "aborted")
        wait_for(
            lambda: self.get(prediction)["status"] in wanted, lambda: f"{self.get(prediction)}\n{self.log}"
        )
        return self.get(prediction)

    def run(self, version: str, **inputs: Any) -> dict[str, Any]:
        """Create a prediction and return it once it has ended."""
        return self.until(self.create(version, **inputs)["id"])


def environment() -> dict[str, str]:
    """Return an environment without settings of whoever runs the tests."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COGYARD_", "REPLICATE_"))
    }
    cache = os.environ.get("COGYARD_CACHE_DIR")
    return {**kept, "NO_COLOR": "1", **({"COGYARD_CACHE_DIR": cache} if cache else {})}


def wait_for(condition: Callable[[], object], explain: Callable[[], str] = lambda: "") -> None:
    """Return once a condition holds; fail after a long time."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"it did not happen in {PATIENCE:g} s. {explain()}")
        time.sleep(0.02)


def _model(
    body: str,
    *,
    output: str = "str",
    inputs: str = "",
    setup: str = "pass",
    idempotent: bool = False,
    **image: Any,
) -> TestImage:
    """Make an image whose predict() has this body; `inputs` are its parameters, as in Python."""
    source = source_of(body, output=output, inputs=inputs, setup=setup, idempotent=idempotent)
    return make_image(source, python=PYTHON, **image)


def source_of(
    body: str, *, output: str = "str", inputs: str = "", setup: str = "pass", idempotent: bool = False
) -> str:
    """Write a predict.py."""
    source = [
        "import os, signal, subprocess, sys, time",
        "from cog import BasePredictor, Input, Path, ConcatenateIterator, idempotent",
        "class Predictor(BasePredictor):",
        "    def setup(self):",
        *(f"        {line}" for line in setup.splitlines()),
        *(["    @idempotent"] if idempotent else []),
        f"    def predict(self, {inputs}) -> {output}:",
        *(f"        {line}" for line in body.splitlines()),
    ]
    return "\n".join(source)


@pytest.fixture
def model() -> Callable[..., TestImage]:
    """Give the maker of images with a predict() of the test's own."""
    return _model


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[LivePlatform]:
    """Give a platform that is not started yet."""
    platform = LivePlatform(tmp_path)
    yield platform
    platform.close()


@pytest.fixture
def platform(stopped: LivePlatform) -> LivePlatform:
    """Give a running platform."""
    stopped.start()
    return stopped


@pytest.fixture(scope="module")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """Give a running platform that a module's tests share."""
    platform = LivePlatform(tmp_path_factory.mktemp("shared"))
    platform.start()
    yield platform
    platform.close()


@pytest.fixture
def engine(
    runtime: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Docker | None]:
    """Give the engine that the runtime needs, or skip where this machine lacks a part."""
    if runtime == "sandbox" and (reason := probe_sandbox().reason) is not None:
        pytest.skip(f"no sandboxes here: {reason}")
    if runtime != "docker":
        yield None
        return
    docker: Docker = request.getfixturevalue("docker")
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.config))
    yield docker
    if given := docker("images", "--quiet", NAME).stdout.decode().split():
        docker("rmi", "--force", *given)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder for temporary files that nobody but this platform writes to."""
    with own_temporary_folder(monkeypatch) as folder:
        yield folder
