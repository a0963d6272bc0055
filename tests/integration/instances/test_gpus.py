"""GPUs in real sandboxes: ordinary character devices stand in for them, ordinary files for the driver's libraries."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cogyard.domain.capacity import Grant, Resources
from cogyard.instances.errors import PrepareFailedError
from cogyard.instances.gpus import Driver, Gpus, find_gpus
from cogyard.testing.images import TestImage

from tests.integration.instances.hostile import live_instance
from tests.sandboxes import sandbox_runtime

pytestmark = pytest.mark.anyio

#: Outside, what stands for the first and the second GPU, and for what both need.
REAL = {"0": "/dev/zero", "1": "/dev/full", "control": "/dev/urandom"}
ALWAYS = {"core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty"}
ALWAYS |= {"urandom", "zero"}
LOOK = """
def kind(path):
    try:
        return os.stat(path).st_rdev
    except OSError as error:
        return error.errno
def writes(path):
    try:
        with open(path, "r+b", buffering=0) as file:
            file.write(b"x")
    except OSError as error:
        return error.errno
    return 0
names = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
library = next((folder + "/libcuda.so.1" for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":")), "")
found = {
    "devices": sorted(os.listdir("/dev")),
    "kinds": [kind(f"/dev/nvidia{n}") for n in ("0", "1", "ctl")],
    "writes": [writes(f"/dev/nvidia{n}") for n in ("0", "1")],
    "environment": {name: os.environ.get(name) for name in names},
    "library": os.path.exists(library) and open(library).read(),
    "spoiled": writes(library) if os.path.exists(library) else None,
    "sockets": os.path.exists("/run/nvidia-persistenced/socket"),
    "caps": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
}
"""


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """Make a library as a driver has it: a file with a long name, and a link by which programs know it."""
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "libcuda.so.550.1").write_text("the driver's")
    (folder / "libcuda.so.1").symlink_to("libcuda.so.550.1")
    return folder


@contextmanager
def _service(path: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


def _specs(folder: Path, driver: Path, service: Path) -> list[Path]:
    """Write a spec as NVIDIA's tool does."""
    devices = [
        {"name": name, "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{name}", "hostPath": REAL[name]}]}}
        for name in ("0", "1")
    ]  # fmt: skip
    inside = "/usr/lib64/libcuda.so.550.1"
    edits: dict[str, Any] = {
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "deviceNodes": [{"path": "/dev/nvidiactl", "hostPath": REAL["control"]}],
        "mounts": [
            {"hostPath": str(driver / "libcuda.so.550.1"), "containerPath": inside, "options": ["ro"]},
            {"hostPath": str(service), "containerPath": "/run/nvidia-persistenced/socket"},
        ],
        "hooks": [
            {
                "hookName": "createContainer",
                "path": "/usr/bin/nvidia-cdi-hook",
                "args": ["nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib64"],
            }
        ],
    }
    folder.mkdir()
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": devices, "containerEdits": edits}
    (folder / "nvidia.json").write_text(json.dumps(document))
    return [folder]


def _number(path: str) -> int:
    return os.stat(path).st_rdev  # noqa: PTH116 - a number, shorter


async def _look(
    folder: Path, image: TestImage, layers: Path, gpus: Gpus, *chosen: int, overlay: bool = True
) -> Any:
    runtime = await sandbox_runtime(folder, image, layers=layers, gpus=gpus, overlay=overlay)
    grant = Grant(resources=Resources(gpus=len(chosen)), devices=chosen)
    async with live_instance(runtime, image, grant=grant) as live:
        return await live.found(LOOK)


async def test_an_instance_has_just_its_own(
    tmp_path: Path, hostile: TestImage, layers: Path, driver: Path
) -> None:
    """Of two GPUs it sees the one it was given, what both need, and the driver's library by its usual name."""
    with _service(tmp_path / "x.socket") as service:
        gpus = find_gpus(_specs(tmp_path / "cdi", driver, service))
        found = await _look(tmp_path, hostile, layers, gpus, 1)
    assert set(found["devices"]) - ALWAYS == {"nvidia1", "nvidiactl"}
    assert found["kinds"] == [2, _number("/dev/full"), _number("/dev/urandom")]
    assert found["writes"] == [2, 28], "the device itself answers: it is full"
    assert found["environment"] == {
        "NVIDIA_VISIBLE_DEVICES": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "LD_LIBRARY_PATH": "/usr/lib64",
    }
    assert found["library"] == "the driver's"
    assert found["spoiled"] in {13, 30}, "nobody inside may change it"
    assert not found["sockets"]
    assert found["caps"] == ["0000000000000000"]
    assert (driver / "libcuda.so.550.1").read_text() == "the driver's"


async def test_two_are_two(tmp_path: Path, hostile: TestImage, layers: Path, driver: Path) -> None:
    """An instance with both sees both, numbered from 0 for CUDA."""
    gpus = find_gpus(_specs(tmp_path / "cdi", driver, tmp_path / "no.socket"))
    found = await _look(tmp_path, hostile, layers, gpus, 0, 1)
    assert set(found["devices"]) - ALWAYS == {"nvidia0", "nvidia1", "nvidiactl"}
    assert found["writes"] == [0, 28]
    assert found["environment"]["CUDA_VISIBLE_DEVICES"] == "0,1"


async def test_who_was_given_none_has_none(
    tmp_path: Path, hostile: TestImage, layers: Path, driver: Path
) -> None:
    """On the same machine a model of a kind without GPUs sees no device, no library, no variable."""
    gpus = find_gpus(_specs(tmp_path / "cdi", driver, tmp_path / "no.socket"))
    found = await _look(tmp_path, hostile, layers, gpus)
    assert set(found["devices"]) <= ALWAYS
    assert found["kinds"] == [2, 2, 2]
    assert not any(found["environment"].values())


async def test_without_a_spec_nodes_and_libraries_are_found(
    tmp_path: Path, hostile: TestImage, layers: Path, driver: Path
) -> None:
    """What the driver has in /dev, and its libraries as ldconfig lists them, where the loader looks first."""
    devices = tmp_path / "dev"
    devices.mkdir()
    for name, real in (("nvidia0", "0"), ("nvidia1", "1"), ("nvidiactl", "control")):
        (devices / name).symlink_to(REAL[real])
    kind = {"x86_64": "x86-64", "aarch64": "AArch64"}[platform.machine()]
    listing = f"\tlibcuda.so.1 (libc6,{kind}) => {driver / 'libcuda.so.1'}\n"
    found = await _look(
        tmp_path,
        hostile,
        layers,
        find_gpus([], Driver(devices=devices, libraries=lambda: listing, slices=str)),
        1,
    )
    assert set(found["devices"]) - ALWAYS == {"nvidia1", "nvidiactl"}
    assert found["writes"] == [2, 28]
    assert found["library"] == "the driver's"
    assert found["spoiled"] in {13, 30}


async def test_a_spec_that_is_out_of_date_is_told(
    tmp_path: Path, hostile: TestImage, layers: Path, driver: Path
) -> None:
    """When a library of the spec is gone, no instance starts with half a driver: the reason is said."""
    gpus = find_gpus(_specs(tmp_path / "cdi", driver, tmp_path / "no.socket"))
    (driver / "libcuda.so.550.1").unlink()
    with pytest.raises(PrepareFailedError, match=r"libcuda\.so\.550\.1 is not here"):
        await _look(tmp_path, hostile, layers, gpus, 0)


async def test_without_overlays_it_is_told(
    tmp_path: Path, hostile: TestImage, layers: Path, driver: Path
) -> None:
    """Where the root can't be written, libraries have no place; that is said before anything starts."""
    gpus = find_gpus(_specs(tmp_path / "cdi", driver, tmp_path / "no.socket"))
    with pytest.raises(PrepareFailedError, match="no overlayfs"):
        await _look(tmp_path, hostile, layers, gpus, 0, overlay=False)
