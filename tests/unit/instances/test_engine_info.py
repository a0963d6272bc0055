"""What an engine says of itself, and the words that follow from it."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.instances.engine_info import EngineInfo, read_info

XFS = "/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb1 /var/lib/docker xfs rw,relatime,prjquota 0 0\n"
PLAIN = XFS.replace("prjquota", "noquota")
OVERLAY = {
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "xfs"], ["Supports d_type", "true"]],
    "DockerRootDir": "/var/lib/docker",
}


@pytest.mark.parametrize(
    ("said", "mounts", "limits"),
    [
        (OVERLAY, XFS, True),
        (OVERLAY, PLAIN, False),
        (OVERLAY, "", False),
        ({**OVERLAY, "DriverStatus": [["Backing Filesystem", "extfs"]]}, XFS, False),
        ({**OVERLAY, "DockerRootDir": "/var/lib/docker2"}, XFS, False),
        ({"Driver": "btrfs"}, "", False),
        ({"Driver": "devicemapper"}, "", False),
        ({"Driver": "zfs"}, "", True),
        ({"Driver": "vfs"}, XFS, False),
        ({"Driver": None, "DriverStatus": None}, "", False),
        ({}, "", False),
        ({"store": {"graphRoot": "/var/lib/docker/x"}}, XFS, True),
        ({"store": None}, XFS, False),
    ],
)
def test_where_a_size_can_be_asked_for(said: dict[str, Any], mounts: str, limits: bool) -> None:
    """overlay2 on XFS that counts by project and zfs hold what is written to a size; elsewhere it is watched."""
    assert read_info(said, mounts).limits_disk is limits


@pytest.mark.parametrize(
    ("said", "by_cdi"),
    [
        ({"Runtimes": {"nvidia": {}, "runc": {}}, "CDISpecDirs": ["/etc/cdi"]}, False),
        ({"Runtimes": {"runc": {}}, "CDISpecDirs": ["/etc/cdi"]}, True),
        ({"Runtimes": {"runc": {}}, "CDISpecDirs": []}, False),
        ({"store": {}}, True),
        ({}, False),
    ],
)
def test_how_gpus_are_named(said: dict[str, Any], by_cdi: bool) -> None:
    """By --gpus where NVIDIA's runtime is, or nothing else; as CDI does under podman and a Docker set up so."""
    assert read_info(said).by_cdi is by_cdi


def test_just_the_gpus_that_were_given() -> None:
    """An instance's own GPUs by number, in either way; without any, no word of them."""
    assert EngineInfo().gpus(("1", "3")) == ["--gpus", '"device=1,3"']
    named = ["--device", "nvidia.com/gpu=1", "--device", "nvidia.com/gpu=3"]
    assert EngineInfo(by_cdi=True).gpus(("1", "3")) == named
    assert EngineInfo().gpus(()) == EngineInfo(by_cdi=True).gpus(()) == []


def test_a_size_where_it_is_taken() -> None:
    """In bytes, as `docker run` takes it."""
    assert EngineInfo(limits_disk=True).disk(5 << 20) == ["--storage-opt", "size=5242880"]
    assert EngineInfo().disk(5 << 20) == []
