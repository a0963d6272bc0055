"""The platforms images are built for, and this machine's."""

from __future__ import annotations

import platform as machines

from cogyard.environment.machine import MACHINES
from cogyard.image.errors import BuildNotPossibleError


def local_platform() -> str:
    """Return the platform of containers on this machine, `linux/amd64` or `linux/arm64`.

    Raises BuildNotPossibleError on any other machine.
    """
    machine = machines.machine().lower()
    for architecture, name in MACHINES.items():
        if machine in {architecture, name}:
            return f"linux/{architecture}"
    raise BuildNotPossibleError(f"images cannot be built for this machine's architecture, {machine}")


def read_platforms(text: str | None) -> tuple[str, ...]:
    """Return the platforms that `--platform` names, each once; this machine's for None.

    Raises BuildNotPossibleError.
    """
    if text is None:
        return (local_platform(),)
    found = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    for each in found:
        architecture_of(each)
    return found


def architecture_of(platform: str) -> str:
    """Return the architecture of `linux/amd64` or `linux/arm64`.

    Raises BuildNotPossibleError for anything else.
    """
    system, _, architecture = platform.partition("/")
    if system != "linux" or architecture not in MACHINES:
        possible = " and ".join(f"linux/{each}" for each in MACHINES)
        raise BuildNotPossibleError(f"images are built for {possible}, not for {platform!r}")
    return architecture
