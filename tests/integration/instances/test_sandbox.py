"""What a hostile model can see and change from inside of a sandbox: its own, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.orphans import marked
from cogyard.oci.config import RunConfig
from cogyard.testing.images import TestImage
from cogyard.testing.whole_images import assemble_image, base_layers, link_layer, make_whole_image, tar_layer

from tests.integration.instances.hostile import HOSTILE, Live, live_instance
from tests.marks import mark_of
from tests.sandboxes import sandbox_runtime, supported

pytestmark = pytest.mark.anyio


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


def _arguments(mark: str) -> list[bytes]:
    return [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in marked(mark)]


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
