"""The process runtime beyond the common promises: what it passes on, what it refuses, what it never leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.blobs import BlobStore
from cogyard.domain.capacity import Grant, Resources
from cogyard.instances.cgroups import Cgroups
from cogyard.instances.environments import UvEnvironments
from cogyard.instances.errors import ImageRefusedError, PrepareFailedError
from cogyard.instances.events import CompletedEvent, LogEvent
from cogyard.instances.layers import LayerCache
from cogyard.instances.orphans import kill_marked, marked
from cogyard.instances.process import ProcessOptions, ProcessRuntime
from cogyard.instances.running import RunningProcess
from cogyard.instances.server import HttpModelServer, Run
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import EMPTY_LOCK, TestImage, TestVersions, make_image

from tests.marks import mark_of

pytestmark = pytest.mark.anyio
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

LOOK_AROUND = """
import json, os, subprocess
from pathlib import Path
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self):
        self.weights = Path("weights/net").read_text()

    def predict(self, detach: bool = False) -> str:
        Path("scratch").write_text("mine")
        if detach:
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        print("looking")
        return json.dumps({"env": dict(os.environ), "cwd": os.getcwd(), "weights": self.weights})
"""


HELD = """
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, mib: int) -> str:
        held = bytearray(mib << 20)
        for place in range(0, len(held), 4096):
            held[place] = 1
        return f"held {mib}"
"""


async def _runtime(
    folder: Path, *images: TestImage, blobs: BlobStore | None = None, cgroups: Cgroups | None = None
) -> ProcessRuntime:
    blobs = blobs or MemoryBlobs()
    for image in images:
        await image.put(blobs)
    (folder / "layers").mkdir(parents=True)
    options = ProcessOptions(
        root=folder / "i",
        sockets=folder / "s",
        home=folder / "home",
        mark=mark_of(folder),
        base="http://127.0.0.1:1",
        setup_timeout=30,
        cgroups=cgroups,
    )
    return ProcessRuntime(
        options, TestVersions(*images), LayerCache(folder / "layers", blobs), UvEnvironments()
    )


async def _predict(
    running: RunningProcess, inputs: dict[str, Any] | None = None
) -> tuple[CompletedEvent, str]:
    server = HttpModelServer(running.address)
    try:
        async with asyncio.timeout(30):
            while (health := await server.health()) is None or health.status == "STARTING":  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.02)
            events = [event async for event in server.predict(Run(id="p1", input=inputs or {}))]
        assert isinstance(events[-1], CompletedEvent)
        return events[-1], "".join(event.text for event in events if isinstance(event, LogEvent))
    finally:
        await server.aclose()


async def test_a_model_sees_its_image_and_not_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image's variables and weights are there; the operator's settings, tokens and keys are not."""
    monkeypatch.setenv("COGYARD_SECRET", "s3cret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    env = (
        "COLOUR=blue",
        "PATH=/opt/cog/model/bin",
        "COG_PROJECT=/src",
        "LD_PRELOAD=/x.so",
        "PYTHONHOME=/nowhere",
    )
    image = make_image(LOOK_AROUND, python=PYTHON, env=env, weights={"weights/net": b"w8"})
    runtime = await _runtime(tmp_path, image)
    running = await (await runtime.prepare(image.version)).start("one")
    try:
        end, logs = await _predict(running)
    finally:
        await running.stop()
    assert end.status == "succeeded"
    assert "looking" in logs
    assert "s3cret" not in end.output
    assert '"COLOUR": "blue"' in end.output
    assert '"weights": "w8"' in end.output
    assert "/nowhere" not in end.output
    assert "/x.so" not in end.output
    assert not (tmp_path / "i/one").exists()


async def test_what_one_instance_writes_another_does_not_see(tmp_path: Path) -> None:
    """Project folders are each instance's own; the shared layers stay as they were pushed."""
    image = make_image(LOOK_AROUND, python=PYTHON, weights={"weights/net": b"w8"})
    runtime = await _runtime(tmp_path, image)
    prepared = await runtime.prepare(image.version)
    one, two = await prepared.start("one"), await prepared.start("two")
    try:
        await _predict(one)
        assert (tmp_path / "i/one/project/scratch").read_text() == "mine"
        assert not (tmp_path / "i/two/project/scratch").exists()
        assert not list((tmp_path / "layers").rglob("scratch"))
    finally:
        await one.stop()
        await two.stop()


async def test_stopping_ends_what_the_model_started(tmp_path: Path) -> None:
    """A process that the model detached from itself ends with its instance."""
    image = make_image(LOOK_AROUND, python=PYTHON, weights={"weights/net": b"w8"})
    runtime = await _runtime(tmp_path, image)
    running = await (await runtime.prepare(image.version)).start("one")
    await _predict(running, {"detach": True})
    assert len(marked(f"{mark_of(tmp_path)}/one")) >= 3
    await running.stop()
    assert marked(f"{mark_of(tmp_path)}/") == []


async def test_it_is_held_to_its_hardware(tmp_path: Path) -> None:
    """What was granted is all there is of memory and processors; without a grant nothing is held; no group is left."""
    groups = Cgroups.find()
    if groups is None:
        pytest.skip("no control group can be made here")
    image = make_image(HELD, python=PYTHON)
    prepared = await (await _runtime(tmp_path, image, cgroups=groups)).prepare(image.version)
    grant = Grant(resources=Resources(cpus=0.5, memory=300 << 20))
    ours = [parent / f"{mark_of(tmp_path)}-i1" for parent in groups.parents.values()]
    running = await prepared.start("i1", grant)
    try:
        assert all(folder.is_dir() for folder in ours)
        taken, _ = await _predict(running, {"mib": 600})
    finally:
        await running.stop(grace=1)
    assert taken.status == "failed"
    assert not any(folder.exists() for folder in ours)
    free = await prepared.start("i1")
    try:
        assert not any(folder.exists() for folder in ours)
        assert (await _predict(free, {"mib": 600}))[0].output == "held 600"
    finally:
        await free.stop(grace=1)


async def test_a_version_without_a_lock_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """An image made elsewhere cannot run as processes, and the reason says what could be done."""
    image = make_image(lock=None)
    runtime = await _runtime(tmp_path, image)
    with pytest.raises(ImageRefusedError, match="no lock") as refused:
        await runtime.prepare(image.version)
    assert "cog build" in (refused.value.hint or "")


@pytest.mark.parametrize("lock", ["not toml [", "packages = 3", "[[packages]]\nversion = 1"])
async def test_a_lock_that_is_none_is_refused(tmp_path: Path, lock: str) -> None:
    """A broken lock is the image's fault."""
    image = make_image(lock=lock, python=PYTHON)
    runtime = await _runtime(tmp_path, image)
    with pytest.raises(ImageRefusedError):
        await runtime.prepare(image.version)


async def test_a_python_that_is_not_here_is_our_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python of another version missing on this machine may come; the message names it."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    image = make_image(lock=EMPTY_LOCK.replace("3.10", "3.99"), python="3.99")
    runtime = await _runtime(tmp_path, image)
    with pytest.raises(PrepareFailedError, match=r"3\.99"):
        await runtime.prepare(image.version)


async def test_a_layer_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A blob missing from storage is said, with its digest."""
    image, empty = make_image(python=PYTHON), MemoryBlobs()
    runtime = await _runtime(tmp_path, image, blobs=empty)
    empty.content.clear()
    with pytest.raises(ImageRefusedError, match="sha256:"):
        await runtime.prepare(image.version)
    assert not list((tmp_path / "layers").iterdir())


async def test_layers_are_unpacked_once(tmp_path: Path) -> None:
    """Ten instances that prepare at the same moment unpack each layer once."""
    image, reads = make_image(python=PYTHON), []

    class Counting(MemoryBlobs):
        def read(self, digest: str, start: int = 0, stop: int | None = None) -> Any:
            reads.append(digest)
            return super().read(digest, start, stop)

    runtime = await _runtime(tmp_path, image, blobs=Counting())
    await asyncio.gather(*(runtime.prepare(image.version) for _ in range(10)))
    assert len(reads) == len(set(reads)) == 2


PARENT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_process as t

async def main():
    folder = Path(sys.argv[1])
    image = t.make_image(t.LOOK_AROUND, python=t.PYTHON, weights={"weights/net": b"w8"})
    runtime = await t._runtime(folder, image)
    running = await (await runtime.prepare(image.version)).start("one")
    await t._predict(running, {"detach": True})
    print("running", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")
def test_a_killed_platform_takes_its_model_servers_with_it(tmp_path: Path) -> None:
    """After kill -9 of the platform no server or worker is left; what a model detached is found by its mark."""
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(Path(__file__).parent)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ))
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"running\n"
        assert len(marked(f"{mark_of(tmp_path)}/")) >= 3
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        end = time.monotonic() + 60
        while len(marked(f"{mark_of(tmp_path)}/")) > 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(marked(f"{mark_of(tmp_path)}/")) == 1
        assert kill_marked(f"{mark_of(tmp_path)}/") == 1
    finally:
        parent.kill()
        parent.communicate()
        kill_marked(f"{mark_of(tmp_path)}/")
