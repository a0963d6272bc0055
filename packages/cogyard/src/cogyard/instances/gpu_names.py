"""What a machine's GPUs and their slices are called, and of which kind they are, by what the driver says.

A whole GPU is called by its number, a slice of one (MIG) by two: `0:1` is the second of the first GPU, as in NVIDIA's
CDI specs and `nvidia-smi -L`. A GPU that is cut into slices is not given out whole.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Where the driver tells of each GPU in a file of its own.
MODELS = Path("/proc/driver/nvidia/gpus")
_SECONDS = 10.0
#: Before the driver's name of a kind that the operator has not named: no table asks for it.
_OTHER = "other: "
_NAME = re.compile(r"(\d+)(?::(\d+))?")
_LINE = re.compile(r"([^:]+):\s*(.+?)\s*")
_WHOLE = re.compile(r"GPU (\d+): .*")
_SLICE = re.compile(r"\s+(MIG \S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU or a slice of one, as instances are given it. What is not known of it is empty."""

    name: str
    kind: str = ""
    uuid: str = ""

    @property
    def is_slice(self) -> bool:
        """Whether it is a part of a GPU."""
        return ":" in self.name


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """Return, in order, those that are given out: numbers, and slices in place of the GPU they are cut from."""
    found = {(int(match[1]), int(match[2] or -1)): name for name in names if (match := _NAME.fullmatch(name))}
    cut = {gpu for gpu, part in found if part >= 0}
    return tuple(name for (gpu, part), name in sorted(found.items()) if part >= 0 or gpu not in cut)


def read_models(folder: Path = MODELS) -> dict[str, Gpu]:
    """Return the GPUs that the driver has, by the number of their device node. Blocks a moment."""
    found = dict[str, Gpu]()
    for path in folder.glob("*/information"):
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            continue
        said = {match[1].strip(): match[2] for line in text.splitlines() if (match := _LINE.fullmatch(line))}
        if number := said.get("Device Minor"):
            found[number] = Gpu(number, said.get("Model", ""), _uuid(said.get("GPU UUID", "")))
    return found


def read_slices(listing: str) -> dict[str, Gpu]:
    """Return the slices that `nvidia-smi -L` lists, by name."""
    return {gpu.name: gpu for gpu in _slices(listing)}


def list_slices() -> str:
    """Return what `nvidia-smi -L` says; nothing where it does not answer. Blocks."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "-L"], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def pools(gpus: Iterable[Gpu], kinds: Iterable[str]) -> tuple[str, ...]:
    """Return for each GPU which of the operator's kinds it is of: the longest that its kind's name holds, or none.

    Where the operator tells no kinds apart, all are alike.
    """
    longest_first = sorted({kind for kind in kinds if kind}, key=len, reverse=True)
    return tuple(_pool(gpu, longest_first) for gpu in gpus)


def _pool(gpu: Gpu, kinds: list[str]) -> str:
    if not kinds:
        return ""
    return next((kind for kind in kinds if kind.lower() in gpu.kind.lower()), f"{_OTHER}{gpu.kind}")


def kind_shown(kind: str) -> str:
    """Return a kind that `pools` gave as a person knows it: what the operator has named, else what the driver says."""
    return kind.removeprefix(_OTHER)


def summary(gpus: Iterable[Gpu]) -> str:
    """Say how many there are of each kind, where kinds are known."""
    counts = Counter(gpu.kind for gpu in gpus if gpu.kind)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _slices(listing: str) -> Iterator[Gpu]:
    number = ""
    for line in listing.splitlines():
        if match := _WHOLE.fullmatch(line):
            number = match[1]
        elif number and (match := _SLICE.fullmatch(line.rstrip())):
            yield Gpu(f"{number}:{match[2]}", match[1], match[3])


def _uuid(text: str) -> str:
    # The driver writes question marks there until something has used the GPU.
    return text if text.startswith("GPU-") and "?" not in text else ""
