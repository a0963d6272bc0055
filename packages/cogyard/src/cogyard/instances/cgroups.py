"""Control groups: hold all processes of an instance together to its memory, processor time and number of processes.

Both kinds are spoken: version 1, where each controller has a tree, and version 2, with one tree. A group of ours is
made below the top, as Docker makes its own, or, for those who are not root, beside our own group where that was
delegated. Where none can be made, limits of single processes must do.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cogyard.instances.limits import InstanceLimits

_log = logging.getLogger("cogyard.instances")

_TOP = Path("/sys/fs/cgroup")
_NAME = "cogyard"
_PERIOD = 100_000
#: How long a group's processes get to be gone.
_ROUNDS, _BETWEEN_ROUNDS = 200, 0.02
_CONTROLLERS = ("memory", "pids", "cpu")


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one instance: a folder, or one for each controller."""

    folders: tuple[Path, ...]

    @property
    def procs(self) -> tuple[str, ...]:
        """The files to which a process writes its number to be held."""
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    def remove(self) -> None:
        """End what is still in it and remove it; blocks until its processes are gone, for a few seconds at most."""
        for folder in self.folders:
            for _ in range(_ROUNDS):
                _kill(folder)
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # A process that was killed is not gone at once.
                    time.sleep(_BETWEEN_ROUNDS)
                else:
                    break


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Where groups can be made: by controller in version 1; the one key is empty in version 2."""

    parents: Mapping[str, Path]

    @classmethod
    def find(cls, top: Path = _TOP, own: str | None = None) -> Cgroups | None:
        """Return where groups can be made, or None; a process is moved to try."""
        for parents in _candidates(top, _own() if own is None else own):
            with suppress(OSError):
                found = cls(parents)
                _enable(parents)
                group = found.make(f"trial-{os.getpid()}", InstanceLimits())
                try:
                    if _can_move(group):
                        return found
                finally:
                    group.remove()
        return None

    def make(self, name: str, limits: InstanceLimits) -> Group:
        """Make a group with these limits; raise OSError."""
        folders = []
        for controller, parent in self.parents.items():
            folder = parent / name
            folder.mkdir(parents=True, exist_ok=True)
            folders.append(folder)
            for file, value in _values(controller, limits).items():
                (folder / file).write_text(value)
            for file, value in _wishes(controller, limits).items():
                with suppress(OSError):  # No swap accounting in this kernel: then there is no swap to limit.
                    (folder / file).write_text(value)
        return Group(tuple(folders))

    def clean(self, mark: str) -> None:
        """Remove groups that an earlier platform of this mark left."""
        for parent in self.parents.values():
            Group(tuple(parent.glob(f"{mark}-*"))).remove()


def _kill(folder: Path) -> None:
    with suppress(OSError):
        for line in (folder / "cgroup.procs").read_text().split():
            with suppress(OSError):
                os.kill(int(line), signal.SIGKILL)


def _candidates(top: Path, own: str) -> Iterator[Mapping[str, Path]]:
    """Yield what may work: version 2 below the top, then beside our own group; version 1 below its tops."""
    if (top / "cgroup.controllers").is_file():
        yield {"": top / _NAME}
        for line in own.splitlines():
            number, _, path = line.split(":", 2)
            if number == "0" and path != "/":
                yield {"": (top / path.lstrip("/")).parent / _NAME}
        return
    trees = {name: top / name for name in _CONTROLLERS if (top / name / "cgroup.procs").exists()}
    if {"memory", "pids"} <= trees.keys():
        yield {name: tree / _NAME for name, tree in trees.items()}


def _enable(parents: Mapping[str, Path]) -> None:
    """Hand the controllers of version 2 down to where they are needed; version 1 has nothing to hand."""
    if "" not in parents:
        return
    ours = parents[""]
    with suppress(OSError):
        (ours.parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    ours.mkdir(exist_ok=True)
    (ours / "cgroup.subtree_control").write_text("+memory +pids +cpu")


def _values(controller: str, limits: InstanceLimits) -> dict[str, str]:
    match controller:
        case "":
            values = {"memory.max": str(limits.memory), "pids.max": str(limits.processes)}
            return values | ({"cpu.max": f"{_quota(limits.cpus)} {_PERIOD}"} if limits.cpus else {})
        case "memory":
            return {"memory.limit_in_bytes": str(limits.memory)}
        case "pids":
            return {"pids.max": str(limits.processes)}
        case _:
            return {"cpu.cfs_quota_us": str(_quota(limits.cpus))} if limits.cpus else {}


def _wishes(controller: str, limits: InstanceLimits) -> dict[str, str]:
    match controller:
        case "":
            return {"memory.swap.max": "0"}
        case "memory":
            return {"memory.memsw.limit_in_bytes": str(limits.memory)}
        case _:
            return {}


def _quota(cpus: float) -> int:
    return max(1000, round(cpus * _PERIOD))


def _own() -> str:
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""


def _can_move(group: Group) -> bool:
    """Say whether a process of ours may enter the group."""
    writes = " && ".join(f'echo $$ > "${{{number}}}"' for number in range(1, len(group.procs) + 1))
    done = subprocess.run(["/bin/sh", "-c", writes, "sh", *group.procs], capture_output=True, check=False)
    return done.returncode == 0
