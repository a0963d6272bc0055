"""Control groups of both versions, in folders that look like the kernel's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cogyard.instances import cgroups
from cogyard.instances.cgroups import Cgroups
from cogyard.instances.limits import InstanceLimits

LIMITS = replace(InstanceLimits(), memory=1000, cpus=1.5, processes=7)


@pytest.fixture(autouse=True)
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try once to remove a group: these folders hold files, so unlike the kernel's they never go."""
    monkeypatch.setattr(cgroups, "_ROUNDS", 1)


def _tops(top: Path, *names: str) -> Path:
    for name in names:
        (top / name).mkdir(parents=True, exist_ok=True)
        (top / name / "cgroup.procs").touch()
    return top


def test_version_2_is_one_group(tmp_path: Path) -> None:
    """One folder holds memory, processes and processor time, after the controllers were handed down."""
    _tops(tmp_path, "")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    found = Cgroups.find(tmp_path, "0::/\n")
    assert found is not None
    group = found.make("one", LIMITS)
    (folder,) = group.folders
    assert folder == tmp_path / "cogyard" / "one"
    assert (folder.parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "pids.max").read_text() == "7"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert group.procs == (str(folder / "cgroup.procs"),)


def test_version_1_is_a_group_for_each_controller(tmp_path: Path) -> None:
    """Each controller's tree gets a folder of ours."""
    found = Cgroups.find(_tops(tmp_path, "memory", "pids", "cpu"), "4:memory:/x\n")
    assert found is not None
    group = found.make("one", LIMITS)
    assert [folder.parent.parent.name for folder in group.folders] == ["memory", "pids", "cpu"]
    assert (tmp_path / "memory" / "cogyard" / "one" / "memory.limit_in_bytes").read_text() == "1000"
    assert (tmp_path / "cpu" / "cogyard" / "one" / "cpu.cfs_quota_us").read_text() == "150000"


def test_without_memory_there_are_none(tmp_path: Path) -> None:
    """Groups that can't hold memory are not worth having."""
    assert Cgroups.find(_tops(tmp_path, "pids", "cpu"), "") is None
    assert Cgroups.find(tmp_path / "nothing", "") is None


def test_limits_of_processes_stand_in_for_memory() -> None:
    """Without groups each process is held to the instance's memory; with them, all together are."""
    assert LIMITS.for_process(grouped=False)["data"] == 1000
    assert "data" not in LIMITS.for_process(grouped=True)
    assert LIMITS.for_process(grouped=True)["nproc"] == 7
