"""What a hostile model can use up in a sandbox: what it was given, and nothing of others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cogyard.testing.images import TestImage

from tests.integration.instances.hostile import SMALL, Live, live_instance
from tests.sandboxes import groups, sandbox_runtime

pytestmark = pytest.mark.anyio


async def test_what_it_writes_is_gone_and_no_one_elses(
    tmp_path: Path, hostile: TestImage, layers: Path
) -> None:
    """A model may write over its own image; the shared layer, the next instance and the one beside it are as before."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers)
    spoil = """
open("/src/predict.py", "w").write("raise SystemExit")
os.remove("/opt/cog/model/lib/python" + sys.version[:4] + "/site-packages/cog/__init__.py")
open("/src/mine", "w").write("mine")
found = os.path.exists("/src/mine")
"""
    look = 'found = [os.path.exists("/src/mine"), "SystemExit" in open("/src/predict.py").read()]'
    async with (
        live_instance(runtime, hostile, "first") as first,
        live_instance(runtime, hostile, "second") as second,
    ):
        assert await first.found(spoil) is True
        assert await second.found(look) == [False, False]
    async with live_instance(runtime, hostile, "third") as third:
        assert await third.found(look) == [False, False]


async def test_a_full_scratch_is_its_own_trouble(live: Live) -> None:
    """Writing ends at the limit, on every file system that can be written."""
    code = """
found = []
for folder in ["/src", "/tmp", "/var/tmp", "/dev/shm", "/run", "/root"]:
    total = 0
    try:
        with open(folder + "/big", "wb") as f:
            while total < 200 << 20:
                total += f.write(bytes(1 << 20))
        found.append(folder)
    except OSError:
        pass
    try:
        os.remove(folder + "/big")
    except OSError:
        pass
"""
    assert await live.found(code) == []
    assert await live.found("found = 1") == 1


@pytest.mark.parametrize("overlay", [True, False])
async def test_the_scratch_is_one_for_all_folders(
    tmp_path: Path, hostile: TestImage, layers: Path, overlay: bool
) -> None:
    """What is written in one folder is missing in the others, shared memory among them."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=SMALL, overlay=overlay)
    code = """
written = 0
for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run"]:
    try:
        with open(folder + "/part", "wb", buffering=0) as f:
            while written < 200 << 20:
                written += f.write(bytes(1 << 16))
                if f.tell() >= 12 << 20:
                    break
    except OSError:
        pass
found = written >> 20
"""
    async with live_instance(runtime, hostile) as live:
        assert 24 <= await live.found(code) <= 32


@pytest.mark.parametrize("grouped", [True, False])
async def test_memory_ends_where_it_is_said_to(
    tmp_path: Path, hostile: TestImage, layers: Path, grouped: bool
) -> None:
    """A model that takes all memory loses its prediction; the instance goes on with the next."""
    if grouped and groups() is None:
        pytest.skip("no control group can be made here")
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=SMALL, grouped=grouped)
    async with live_instance(runtime, hostile) as live:
        end = await live.end({"code": "found = len(b'x' * (2 << 30))"})
        assert end.status == "failed"
        assert await _recovers(live)


async def test_a_fork_bomb_ends_where_it_is_said_to(tmp_path: Path, hostile: TestImage, layers: Path) -> None:
    """Processes are counted for each sandbox: the bomb's own prediction fails, the instance goes on."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=SMALL)
    bomb = """
children = []
try:
    while len(children) < 500:
        pid = os.fork()
        if pid == 0:
            time.sleep(600)
        children.append(pid)
except OSError:
    pass
found = len(children)
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""
    async with live_instance(runtime, hostile) as live:
        assert 10 < await live.found(bomb) < 80
        assert await live.found("found = 1") == 1


async def _recovers(live: Live) -> bool:
    """Whether the next prediction succeeds, once the model has been set up again."""
    async with asyncio.timeout(30):
        while True:
            health = await live.server.health()
            if health is not None and health.ready:
                return bool(await live.found("found = 1") == 1)
            await asyncio.sleep(0.05)
