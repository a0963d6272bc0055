"""Which GPUs each of several workers sees. Standard library only, like `process`: the first worker is started early."""

from __future__ import annotations

import dataclasses
import os

from cog_server.workers.process import WorkerCommand

_DEVICES = "CUDA_VISIBLE_DEVICES"


def devices(count: int | None, visible: str | None) -> list[str]:
    """Return the names of the GPUs to share out: what CUDA_VISIBLE_DEVICES names already, else 0 to `count` - 1."""
    if not count:
        return []
    named = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return named[:count] if named else [str(number) for number in range(count)]


def share(worker: int, workers: int, names: list[str]) -> str | None:
    """Return CUDA_VISIBLE_DEVICES for worker number `worker` (from 0), or None to leave it as it is.

    With more GPUs than workers each gets its even part; with fewer, workers take turns.
    """
    if not names:
        return None
    if workers >= len(names):
        return names[worker % len(names)]
    start, end = (number * len(names) // workers for number in (worker, worker + 1))
    return ",".join(names[start:end])


def commands(command: WorkerCommand, workers: int, gpus: int | None) -> list[WorkerCommand]:
    """Return how each of several workers is started, each with its own part of the GPUs."""
    names = devices(gpus, command.env.get(_DEVICES, os.environ.get(_DEVICES)))
    shares = [share(number, workers, names) for number in range(workers)]
    return [
        command if part is None else dataclasses.replace(command, env={**command.env, _DEVICES: part})
        for part in shares
    ]
