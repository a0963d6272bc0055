"""What a hostile model can do from inside of a sandbox: spoil its own predictions, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.orphans import marked
from cogyard.instances.sandbox import PreparedSandbox
from cogyard.oci.config import RunConfig
from cogyard.testing.images import TestImage
from cogyard.testing.whole_images import assemble_image, base_layers, link_layer, make_whole_image, tar_layer

from tests.integration.instances.hostile import HOSTILE, Live, live_instance
from tests.marks import mark_of
from tests.sandboxes import groups, sandbox_runtime, supported

pytestmark = pytest.mark.anyio

FILES = """
from cog import BasePredictor, Path

class Predictor(BasePredictor):
    def predict(self, file: Path, text: str = "") -> Path:
        out = Path("out.txt")
        out.write_text(file.name + ":" + file.read_text().upper() + text)
        return out
"""
LIMITS = replace(InstanceLimits(), memory=300 << 20, processes=80, scratch=32 << 20)


@pytest.fixture(scope="module")
def hostile() -> TestImage:
    """Make a model that does whatever its caller says."""
    supported()
    return make_whole_image(HOSTILE)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep unpacked layers for all tests of this module."""
    return tmp_path_factory.mktemp("layers")


@pytest.fixture
async def live(tmp_path: Path, hostile: TestImage, layers: Path) -> AsyncIterator[Live]:
    """Run the hostile model with small limits."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=LIMITS)
    async with live_instance(runtime, hostile) as found:
        yield found


async def test_the_machines_files_are_not_there(live: Live, tmp_path: Path) -> None:
    """Neither a file of the operator's nor the machine's own can be found, by whatever way."""
    (tmp_path / "secret").write_text("secret")
    code = f"""
places = [{str(tmp_path / "secret")!r}, "/etc/shadow", "/var/lib", "/home", "/sys", "/root/.ssh", {str(Path.cwd())!r}]
found = [place for place in places if os.path.exists(place)]
found += [name for name in os.listdir("/") if name in ("oldroot", "newroot", "work", "home", "boot")]
for pid in os.listdir("/proc"):
    if pid.isdigit() and os.path.exists(f"/proc/{{pid}}/root{tmp_path}/secret"):
        found.append(pid)
"""
    assert await live.found(code) == []


async def test_other_processes_are_not_there(live: Live) -> None:
    """Only the instance's own processes are seen, and others can't be signalled or looked into."""
    code = f"""
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
try:
    os.kill({os.getpid()}, 0)
    reached = {os.getpid()} in pids
except ProcessLookupError:
    reached = False
found = [len(pids), reached, os.getpid() < 100]
"""
    count, reached, small = await live.found(code)
    assert count <= 8
    assert not reached or count <= 8
    assert small


async def test_there_is_no_network(live: Live) -> None:
    """The machine's loopback, where the platform listens, its abstract sockets and the world are out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0cogyard-test-abstract")
        unix.listen()
        code = f"""
found = []
for family, where in [
    (socket.AF_INET, ("127.0.0.1", {tcp.getsockname()[1]})),
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_UNIX, "\\0cogyard-test-abstract"),
]:
    with socket.socket(family) as s:
        s.settimeout(2)
        try:
            s.connect(where)
            found.append(str(where))
        except OSError:
            pass
found.append(sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
"""
        assert await live.found(code) == [["lo"]]


async def test_only_the_gate_is_behind_the_gate(live: Live) -> None:
    """Of the platform a model reaches files by secret paths; everything else answers 404."""
    code = """
import http.client
found = []
for method, path in [("GET", "/v1/models"), ("GET", "/"), ("POST", "/v1/predictions"), ("GET", "/fetch/x/y"),
                     ("DELETE", "/delivery/x"), ("GET", "/internal/outputs/x/y"), ("GET", "/delivery/../v1/models")]:
    c = http.client.HTTPConnection("127.0.0.1", 5001, timeout=5)
    c.putrequest(method, path, skip_host=False)
    c.endheaders()
    try:
        found.append(c.getresponse().status)
    except http.client.RemoteDisconnected:
        found.append(0)
"""
    statuses = await live.found(code)
    assert statuses[:6] == [404] * 6
    assert statuses[6] in {404, 500}  # It would be asked of the platform, which here answers nobody.


async def test_power_cannot_be_had(live: Live) -> None:
    """No capability, no mount, no namespace of one's own, no kernel setting, no device."""
    code = """
libc = ctypes.CDLL(None, use_errno=True)
caps = [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm", "CapBnd", "CapInh"))]
found = {
    "caps": sorted(set(caps)),
    "privs": [l.split()[1] for l in open("/proc/self/status") if l.startswith("NoNewPrivs")],
    "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    "unshare": libc.unshare(0x10000000),
    "chroot": libc.chroot(b"/src"),
}
written = []
for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger",
             "/proc/1/oom_score_adj", "/dev/new", "/run/cogyard/relay.py", "/proc/self/uid_map"]:
    try:
        with open(path, "r+" if os.path.exists(path) else "w") as f:
            f.write("0")
            f.flush()
        written.append(path)
    except OSError:
        pass
found["written"] = written
found["devices"] = sorted(os.listdir("/dev"))
"""
    found = await live.found(code)
    assert found["caps"] == ["0000000000000000"]
    assert found["privs"] == ["1"]
    assert (found["mount"], found["unshare"], found["chroot"]) == (-1, -1, -1)
    assert found["written"] in (
        [],
        ["/proc/1/oom_score_adj"],
    )  # Its own first process: that harms nobody else.
    assert {"sda", "vda", "mem", "kmsg", "fuse", "kvm"}.isdisjoint(found["devices"])


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
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=LIMITS, overlay=overlay)
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
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=LIMITS, grouped=grouped)
    async with live_instance(runtime, hostile) as live:
        end = await live.end({"code": "found = len(b'x' * (2 << 30))"})
        assert end.status == "failed"
        assert await _recovers(live)


async def test_a_fork_bomb_ends_where_it_is_said_to(tmp_path: Path, hostile: TestImage, layers: Path) -> None:
    """Processes are counted for each sandbox: the bomb's own prediction fails, the instance goes on."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=LIMITS)
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


async def test_nothing_of_the_platforms_environment_is_passed_on(
    tmp_path: Path, layers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model sees the image's variables; neither ours nor those that would speak to programs outside."""
    supported()
    monkeypatch.setenv("COGYARD_SECRET", "of the operator")
    image = make_whole_image(
        HOSTILE, env=("API_KEY=of the model", "LD_PRELOAD=/nowhere/evil.so", "HOME=/elsewhere")
    )
    runtime = await sandbox_runtime(tmp_path, image, layers=layers)
    async with live_instance(runtime, image) as live:
        environment = await live.found("found = dict(os.environ)")
    assert environment["API_KEY"] == "of the model"
    assert environment["HOME"] == "/root"
    assert not [value for value in environment.values() if "operator" in value]
    for pid in marked(f"{mark_of(tmp_path)}/"):
        pytest.fail(f"process {pid} is left")


async def test_arguments_tell_no_secret(tmp_path: Path, layers: Path) -> None:
    """Other users of the machine can read arguments of processes; the model's variables are not among them."""
    supported()
    image = make_whole_image(HOSTILE, env=("API_KEY=of the model",))
    runtime = await sandbox_runtime(tmp_path, image, layers=layers)
    async with live_instance(runtime, image):
        words = _arguments(f"{mark_of(tmp_path)}/")
    assert words
    assert not [line for line in words if b"of the model" in line]


async def test_stopping_leaves_nothing(tmp_path: Path, hostile: TestImage, layers: Path) -> None:
    """No process, socket, mount or control group, also of a model that starts others and ignores signals."""
    runtime = await sandbox_runtime(tmp_path, hostile, layers=layers, limits=LIMITS)
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


def _arguments(mark: str) -> list[bytes]:
    return [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in marked(mark)]


def _mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def _network() -> str:
    return str(Path("/proc/self/ns/net").readlink())


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


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"from elsewhere"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Serve a file to whoever asks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_files_come_and_go_by_the_gate(tmp_path: Path, layers: Path, elsewhere: str) -> None:
    """Inputs at addresses elsewhere are fetched for the model, texts stay texts, outputs reach the platform."""
    supported()
    taken: dict[str, bytes] = {}

    async def platform(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        taken[scope["path"]] = body
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"location", b"cogyard-file:x/y")]}
        )
        await send({"type": "http.response.body", "body": b""})

    image = make_whole_image(FILES)
    runtime = await sandbox_runtime(
        tmp_path, image, layers=layers, platform=platform, input_hosts=(elsewhere,)
    )
    reach = (await runtime.prepare(image.version)).reach
    url = f"http://{elsewhere}/folder/my%20notes.txt"
    async with live_instance(runtime, image) as live:
        inputs = reach.inputs({"file": url, "text": url})
        end = await live.end(inputs, output_file_prefix=reach.outputs("lease"))
        assert end.status == "succeeded", end.error
        refused = await live.end(reach.inputs({"file": "http://169.254.169.254/secrets"}))
    assert inputs["text"] == url
    assert taken == {"/internal/outputs/lease/out.txt": b"my notes.txt:FROM ELSEWHERE" + url.encode()}
    assert end.output == "cogyard-file:x/y"
    assert refused.status == "failed"
    assert "'169.254.169.254' is not on the public internet" in (refused.error or "")


async def test_the_network_is_for_those_who_ask_and_may(tmp_path: Path, layers: Path) -> None:
    """A model gets the machine's network only when it asks and the operator allows it."""
    supported()
    look = 'found = os.readlink("/proc/self/ns/net")'
    ours = _network()
    asking, silent = make_whole_image(HOSTILE, env=("COGYARD_NETWORK=1",)), make_whole_image(HOSTILE)
    for image, allowed, networked in ((asking, True, True), (asking, False, False), (silent, True, False)):
        runtime = await sandbox_runtime(
            tmp_path / f"{networked}{allowed}", image, layers=layers, network=allowed
        )
        prepared = await runtime.prepare(image.version)
        assert isinstance(prepared, PreparedSandbox)
        assert prepared.networked is networked
        async with live_instance(runtime, image) as live:
            assert (await live.found(look) == ours) is networked


async def test_links_of_an_image_lead_nowhere_outside(
    tmp_path: Path, layers: Path, hostile: TestImage
) -> None:
    """A root whose own folders are links to elsewhere is mended or refused, and nothing outside is touched."""
    supported()
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    config = json.loads(hostile.config)["config"]
    source = tar_layer("source", {"src/predict.py": HOSTILE.encode()})
    links = link_layer({name: str(outside) for name in ("proc", "dev", "run")})
    image = assemble_image(
        [*base_layers(), source, links],
        RunConfig(cmd=config["Cmd"], env=config["Env"], labels=config["Labels"], working_dir="/src"),
    )
    runtime = await sandbox_runtime(tmp_path, image, layers=layers)
    async with live_instance(runtime, image) as live:
        assert await live.found('found = os.path.isdir("/proc/self")') is True
    assert list(outside.iterdir()) == []
    whole = await sandbox_runtime(tmp_path / "whole", image, layers=layers, overlay=False)
    with pytest.raises(ImageRefusedError, match="something else than a folder at /"):
        await whole.prepare(image.version)


async def _recovers(live: Live) -> bool:
    """Whether the next prediction succeeds, once the model has been set up again."""
    async with asyncio.timeout(30):
        while True:
            health = await live.server.health()
            if health is not None and health.ready:
                return bool(await live.found("found = 1") == 1)
            await asyncio.sleep(0.05)
