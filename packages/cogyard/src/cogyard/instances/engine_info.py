"""What a container engine says of itself (`docker info`), as far as containers' disks and GPUs go. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

#: Drivers that hold what a container writes to a size by themselves. Not so btrfs, whose size has the whole image in it
#: (a container of an image larger than that is refused), nor devicemapper, which takes none below its own ten GB.
_LIMITING = frozenset({"zfs"})
#: overlay2 does so where its file system counts by project: XFS, mounted with one of these.
_COUNTING = frozenset({"pquota", "prjquota"})


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineInfo:
    """What may be asked of an engine."""

    #: Whether `--storage-opt size=` is taken.
    limits_disk: bool = False
    #: Whether GPUs are named as the Container Device Interface does (`--device`), not by `--gpus`.
    by_cdi: bool = False

    def disk(self, size: int) -> list[str]:
        """Return the words that hold what a container writes to a size in bytes; none where it has to be watched."""
        return ["--storage-opt", f"size={size}"] if self.limits_disk else []

    def gpus(self, names: Sequence[str]) -> list[str]:
        """Return the words that hand on just these GPUs."""
        if not names:
            return []
        if self.by_cdi:
            return [word for name in names for word in ("--device", f"nvidia.com/gpu={name}")]
        return ["--gpus", f'"device={",".join(names)}"']


def read_info(document: Mapping[str, Any], mounts: str = "") -> EngineInfo:
    """Read what `docker info` or `podman info` says as JSON; `mounts` is /proc/self/mounts of the engine's machine."""
    if "store" in document:  # podman's, which has no runtime of NVIDIA's
        store = document["store"] or {}
        return EngineInfo(by_cdi=True, limits_disk=_counts(str(store.get("graphRoot") or ""), mounts))
    driver = str(document.get("Driver") or "")
    status = {str(pair[0]): str(pair[1]) for pair in document.get("DriverStatus") or () if len(pair) == 2}
    counted = status.get("Backing Filesystem") == "xfs" and _counts(
        str(document.get("DockerRootDir") or ""), mounts
    )
    return EngineInfo(
        limits_disk=driver in _LIMITING or (driver == "overlay2" and counted),
        by_cdi=bool(document.get("CDISpecDirs")) and "nvidia" not in (document.get("Runtimes") or {}),
    )


def _counts(folder: str, mounts: str) -> bool:
    """Say whether the file system that holds a folder is XFS and counts by project."""
    best, kind, options = "", "", ""
    for words in (line.split(" ") for line in mounts.splitlines()):
        if len(words) > 3 and PurePosixPath(folder).is_relative_to(words[1]) and len(words[1]) >= len(best):
            best, kind, options = words[1], words[2], words[3]
    return kind == "xfs" and not _COUNTING.isdisjoint(options.split(","))
