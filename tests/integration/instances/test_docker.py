"""The docker runtime with a real engine: the common promises, what a container may, Cog's own images, orphans."""

from __future__ import annotations

import asyncio
import base64
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher
from cogyard.compose.gates import UnixGates
from cogyard.engine import Client, find
from cogyard.instances.docker import NAME, DockerImages, DockerOptions, DockerRuntime, end_orphans, unfit
from cogyard.instances.errors import NotAcceptedError
from cogyard.instances.events import CompletedEvent, LogEvent, ServerEvent
from cogyard.instances.gate import Gate, Offers
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.server import HttpModelServer, Run
from cogyard.instances.weights import WeightsCache
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import TestImage, TestVersions
from cogyard.testing.weights import BesideInMemory, declared, keep_weights
from cogyard.testing.whole_images import (
    make_whole_image,
)
from cogyard.weights.files import WeightFiles

from tests.coglet import cog_image
from tests.docker import Docker
from tests.integration.instances.hostile import HOSTILE, Live, live_instance, until_ready
from tests.marks import mark_of
from tests.runtimes import PREDICTORS, WRITING, RealDiskContract, RealRuntimeContract
from tests.sandboxes import nothing, sandbox_runtime

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

READ_WEIGHTS = """
from pathlib import Path
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self) -> str:
        file = Path("/data/net/net.bin")
        try:
            file.write_text("mine")
        except OSError as error:
            return f"{file.read_text()} {type(error).__name__}"
        return "written"
"""
MODELS = {**PREDICTORS, "hostile": HOSTILE, "writing": WRITING}
LIMITS = replace(InstanceLimits(), memory=512 << 20, processes=60, scratch=64 << 20, cpus=1.0)
_BLOBS = MemoryBlobs()


@functools.cache
def _image(name: str) -> TestImage:
    return make_whole_image(MODELS[name])


@pytest.fixture
def client(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Give the engine as an operator has it; the tests' own images are removed afterwards."""
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONFIG", str(docker.config))
    found = find("docker")
    assert found is not None
    return found


@pytest.fixture(autouse=True, scope="module")
def _tidy(docker: Docker) -> Iterator[None]:
    yield
    listed = docker("images", "--quiet", NAME).stdout.decode().split()
    if listed:
        docker("rmi", "--force", *listed)


async def _runtime(client: Client, folder: Path, *images: TestImage, **more: Any) -> DockerRuntime:
    for image in images:
        await image.put(_BLOBS)
    offers, weights = Offers(), more.pop("weights", None)
    options = DockerOptions(
        client=client,
        sockets=folder / "s",
        scratch=folder,
        mark=mark_of(folder),
        offer=offers.add,
        keep=more.pop("keep", _keep),
        limits=LIMITS,
        setup_timeout=60,
        disk_pause=0.05,
        **more,
    )
    gates = UnixGates(Gate(offers, Fetcher(AddressRule()), nothing))
    return DockerRuntime(options, TestVersions(*images), _BLOBS, gates, weights)


def _below(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


async def _keep(lease: str, url: str) -> str:
    content = base64.b64decode(url.partition(",")[2])
    return f"kept:{lease}:{content.decode()}"


def _is_link(address: str) -> bool:
    return Path(address.removeprefix("unix:")).is_symlink()


class TestDockerDisk(RealDiskContract):
    @pytest.fixture
    async def runtime(self, client: Client, tmp_path: Path, written: TestImage) -> DockerRuntime:
        """Make the real one; the engine holds nobody to a size here, so instances are watched."""
        return await _runtime(client, tmp_path, written)

    @pytest.fixture
    def written(self) -> TestImage:
        """Give the image that writes."""
        return _image("writing")


class TestDockerRuntime(RealRuntimeContract):
    @pytest.fixture
    async def runtime(self, client: Client, tmp_path: Path, images: dict[str, TestImage]) -> DockerRuntime:
        """Make the real one."""
        return await _runtime(client, tmp_path, *images.values())

    @pytest.fixture
    def images(self) -> dict[str, TestImage]:
        """Give one for each predictor."""
        return {name: _image(name) for name in PREDICTORS}


async def test_a_container_has_no_network_and_no_power(client: Client, tmp_path: Path) -> None:
    """A loopback, no capability, a bounded number of processes and amount of memory."""
    runtime = await _runtime(client, tmp_path, _image("hostile"))
    code = """
def forks():
    count = 0
    try:
        while count < 500:
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            count += 1
            children.append(pid)
    except OSError:
        pass
    return count
children = []
found = {
    "net": sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]),
    "caps": [l.split()[1] for l in open("/proc/self/status") if l.startswith("CapEff")],
    "forks": forks(),
}
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""
    async with live_instance(runtime, _image("hostile")) as live:
        found = await live.found(code)
        assert found["net"] == ["lo"]
        assert found["caps"] == ["0000000000000000"]
        assert 5 < found["forks"] < 60
        eaten = await live.end({"code": "found = len(b'x' * (2 << 30))"})
        assert eaten.status == "failed"


async def test_a_socket_that_is_a_link_is_not_followed(client: Client, tmp_path: Path) -> None:
    """A model that puts a link where its socket was cannot make the platform speak to another."""
    runtime = await _runtime(client, tmp_path, _image("hostile"))
    code = "os.remove('/run/cogyard/in/model.sock'); os.symlink('/var/run/docker.sock', '/run/cogyard/in/model.sock')"
    running = await (await runtime.prepare(_image("hostile").version)).start("link")
    first, second = HttpModelServer(running.address), HttpModelServer(running.address)
    try:
        await until_ready(first, running)
        assert (await Live(first).end({"code": code})).status == "succeeded"
        assert _is_link(running.address)
        assert await second.health() is None
    finally:
        await first.aclose()
        await second.aclose()
        await running.stop(grace=0)


async def test_orphans_are_found_by_their_label(client: Client, tmp_path: Path) -> None:
    """Containers of a platform that was killed are ended by the next of the same folder, and no others."""
    name = mark_of(tmp_path)
    image = _image("hello")
    runtime = await _runtime(client, tmp_path, image)
    await runtime.prepare(image.version)
    for mark in (name, f"other{name}"):
        label = f"run.cog.instance={mark}/x"
        words = ["run", "--detach", "--rm", "--label", label, "--network", "none", "--entrypoint", "python3"]
        done = client.call(
            *words,
            DockerImages(client=client, mark=name).name(image.version),
            "-c",
            "import time; time.sleep(600)",
        )
        assert done.returncode == 0, done.stderr
    assert end_orphans(client, name) == 1
    assert end_orphans(client, name) == 0
    assert end_orphans(client, f"other{name}") == 1


async def test_an_image_is_taken_back(client: Client, tmp_path: Path) -> None:
    """From whoever gave it, not from another platform that shares the engine; given again, it runs again."""
    image = _image("hello")
    ours, theirs = (DockerImages(client=client, mark=mark_of(tmp_path / name)) for name in ("ours", "theirs"))
    runtime, other = [await _runtime(client, _below(tmp_path, name), image) for name in ("ours", "theirs")]
    await runtime.prepare(image.version)
    async with live_instance(other, image) as live:
        assert ours.given() == theirs.given() == frozenset({image.version})
        assert ours.take_back(image.version)
        assert ours.given() == frozenset()
        assert theirs.given() == frozenset({image.version})
        assert (await live.end({"text": "x"})).output == "hello x"
    assert not ours.take_back(image.version)
    async with live_instance(runtime, image) as live:
        assert (await live.end({"text": "y"})).output == "hello y"


async def test_a_container_ends_with_whoever_started_it(client: Client, tmp_path: Path) -> None:
    """When the pipe to the first process closes, as when the platform is killed, the container is gone."""
    image = _image("hello")
    runtime = await _runtime(client, tmp_path, image)
    running = await (await runtime.prepare(image.version)).start("tied")
    server = HttpModelServer(running.address)
    await until_ready(server, running)
    async with asyncio.timeout(60):
        assert running._process.stdin is not None
        running._process.stdin.close()
        assert (await running.wait()).code != 0
    await server.aclose()
    await running.stop()


async def test_an_engine_elsewhere_is_not_for_instances(client: Client) -> None:
    """Sockets are shared with an engine on this machine only."""
    assert unfit(client, {"DOCKER_HOST": "unix:///x.sock"}) is None
    assert "on another machine" in (unfit(client, {"DOCKER_HOST": "tcp://192.0.2.1:2375"}) or "")


@pytest.mark.network
@pytest.mark.parametrize("kind", ["docker", "sandbox"])
async def test_cogs_own_image_runs(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """An image with coglet inside answers, streams nothing it was not made for, and its files are kept."""
    image = cog_image()
    if kind == "docker":
        runtime: Any = await _runtime(request.getfixturevalue("client"), tmp_path, image)
    else:
        runtime = await sandbox_runtime(tmp_path, image, keep=_keep)
    prepared = await runtime.prepare(image.version)
    async with live_instance(runtime, image) as live:
        for number in range(3):
            events = await _when_taken(live.server, Run(id=f"p{number}", input={"text": "Alice"}))
            end = events[-1]
            assert isinstance(end, CompletedEvent)
            assert end.status == "succeeded", end.error
            assert "greeting" in "".join(e.text for e in events if isinstance(e, LogEvent))
            assert await prepared.reach.kept(end.output, "lease") == "kept:lease:hello Alice"


async def _when_taken(server: HttpModelServer, run: Run) -> list[ServerEvent]:
    """Ask until it is taken, as a host does: coglet answers before its slot is free, and refuses what comes then."""
    deadline = asyncio.get_running_loop().time() + 20
    while True:
        try:
            return [event async for event in server.predict(run)]
        except NotAcceptedError:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)


async def test_weights_are_mounted_where_they_belong(client: Client, tmp_path: Path) -> None:
    """Read-only, and the very files that other instances have."""
    artifact = await keep_weights(_BLOBS, {"net.bin": b"numbers"}, target="/data/net")
    image = make_whole_image(READ_WEIGHTS, cog=declared(artifact))
    weights = WeightsCache(
        WeightFiles(tmp_path / "weights"), _BLOBS, BesideInMemory({image.version: [artifact]})
    )
    runtime = await _runtime(client, tmp_path, image, weights=weights)
    async with live_instance(runtime, image) as live:
        end = await live.end({})
    assert (end.status, end.output) == ("succeeded", "numbers OSError")
