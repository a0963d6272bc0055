"""The GPUs of a container, in the words of each engine. Pure.

`--gpus` is Docker's. podman before 5.0 takes the word and does nothing about it, so podman gets the devices of the
Container Device Interface instead, by which every release of it gives GPUs.
"""

from __future__ import annotations

from cogyard.engine.errors import EngineError

_CDI = "nvidia.com/gpu"
#: More than one machine has; a mistyped number is not to become a line of a million words.
_MOST = 64


def gpu_words(engine: str, asked: str | None) -> list[str]:
    """Return the words after `run` that give the GPUs asked for, written as Docker takes them; `0` is none.

    Raises EngineError for what podman has no words for.
    """
    text = (asked or "").strip().strip("\"'")
    if asked is None or text == "0":
        return []
    if engine != "podman":
        return ["--gpus", asked]
    return [word for device in _devices(text) for word in ("--device", f"{_CDI}={device}")]


def gpu_hint(engine: str) -> str:
    """Say what an engine needs to give GPUs, and how to do without."""
    need = (
        "a CDI spec (nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml)"
        if engine == "podman"
        else "NVIDIA's container toolkit (nvidia-ctk runtime configure)"
    )
    return f"With GPUs {engine} needs a driver on its machine, and {need}; --gpus 0 runs it without a GPU."


def _devices(text: str) -> list[str]:
    if text == "all":
        return ["all"]
    if text.isdecimal() and int(text) <= _MOST:
        return [str(number) for number in range(int(text))]
    name, _, value = text.partition("=")
    devices = [each.strip() for each in value.split(",")]
    if name == "device" and all(device and "=" not in device for device in devices):
        return devices
    raise EngineError(
        f"podman cannot be asked for the GPUs `{text}`",
        hint="Write --gpus all, --gpus 2 or --gpus device=0,1.",
    )
