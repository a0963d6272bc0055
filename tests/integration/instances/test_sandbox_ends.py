"""What is left of a sandbox that ended, or whose platform did: nothing."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from cogyard.instances.orphans import marked
from cogyard.testing.images import TestImage

from tests.integration.instances.hostile import SMALL, live_instance
from tests.marks import mark_of
from tests.sandboxes import groups, sandbox_runtime, supported

pytestmark = pytest.mark.anyio


async def test_stopping_leaves_nothing(tmp_path: Path, hostile: TestImage, layers: Path) -> None:
    """No process, socket, mount or control group, also of a model that starts others and ignores signals."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=SMALL)
    name = uuid.uuid4().hex
    stubborn = f"""
sleep = "import signal, time; signal.signal(15, lambda *_: 0); time.sleep(600)  # {name}"
for _ in range(5):
    subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True, env={{}})
found = 1
"""
    async with live_instance(runtime, hostile) as live:
        await live.found(stubborn)
        async with asyncio.timeout(20):
            while len(_called(name)) < 5:  # noqa: ASYNC110 - a process that starts sets no event
                await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    assert _called(name) == []
    assert marked(f"{mark_of(tmp_path)}/") == []
    assert list((tmp_path / "s").iterdir()) == []
    assert str(tmp_path) not in _mounts()
    found = groups()
    if found is not None:
        assert not [
            folder for parent in found.parents.values() for folder in parent.glob(f"{mark_of(tmp_path)}-*")
        ]


def _mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def _called(name: str) -> list[str]:
    """List the processes with a word in their command line, those without a mark among them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"# {name}".encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
    return found


START = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {cwd!r})
from cogyard.instances.server import HttpModelServer
from cogyard.testing.whole_images import make_whole_image
from tests.sandboxes import sandbox_runtime

async def main():
    image = make_whole_image()
    runtime = await sandbox_runtime(Path({folder!r}), image, layers=Path({layers!r}))
    running = await (await runtime.prepare(image.version)).start("one")
    server = HttpModelServer(running.address)
    while (health := await server.health()) is None or not health.ready:
        await asyncio.sleep(0.02)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_it_dies_with_the_platform(tmp_path: Path, layers: Path) -> None:
    """When whoever started a sandbox is killed, everything in it dies."""
    supported()
    code = START.format(cwd=str(Path.cwd()), folder=str(tmp_path), layers=str(layers))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert marked(f"{mark_of(tmp_path)}/")
        process.kill()
    deadline = time.monotonic() + 20
    while marked(f"{mark_of(tmp_path)}/"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if (found := groups()) is not None:  # the next start of the same platform would do it
        found.clean(mark_of(tmp_path))
        left = [
            folder for parent in found.parents.values() for folder in parent.glob(f"{mark_of(tmp_path)}-*")
        ]
        assert left == []
