"""The GPUs of a container."""

from __future__ import annotations

import pytest
from cogyard.engine import EngineError, Settings
from cogyard.engine.gpus import gpu_hint, gpu_words


@pytest.mark.parametrize("asked", ["all", "2", "device=0", '"device=0,1"'])
def test_docker_gets_its_own_word(asked: str) -> None:
    """What docker takes is passed on as it was written."""
    assert gpu_words("docker", asked) == ["--gpus", asked]


@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        ("all", ["all"]),
        ("2", ["0", "1"]),
        ("device=1", ["1"]),
        ('"device=0,GPU-3a"', ["0", "GPU-3a"]),
    ],
)
def test_podman_gets_devices(asked: str, devices: list[str]) -> None:
    """Older podmans take --gpus and run without a GPU, so they are given devices by name."""
    words = gpu_words("podman", asked)
    assert words[::2] == ["--device"] * len(devices)
    assert words[1::2] == [f"nvidia.com/gpu={each}" for each in devices]


@pytest.mark.parametrize("engine", ["docker", "podman"])
@pytest.mark.parametrize("asked", [None, "0"])
def test_none_are_none(engine: str, asked: str | None) -> None:
    """A container without GPUs gets no word about them, so that it needs no toolkit either."""
    assert gpu_words(engine, asked) == []


@pytest.mark.parametrize(
    "asked", ["", "many", "-1", "65", "device=", "device=0,capabilities=utility", "count=2"]
)
def test_what_podman_has_no_words_for_is_refused(asked: str) -> None:
    """It is said what can be written."""
    with pytest.raises(EngineError, match="podman cannot be asked") as caught:
        gpu_words("podman", asked)
    assert caught.value.hint == "Write --gpus all, --gpus 2 or --gpus device=0,1."


def test_a_container_of_podman_is_run_with_the_devices() -> None:
    """The words of the engine that runs it are taken."""
    settings = Settings(image="m", gpus="all")
    assert "nvidia.com/gpu=all" in settings.arguments("n", "podman")
    assert "--gpus" in settings.arguments("n", "docker")


def test_the_hint_says_what_is_needed_and_how_to_do_without() -> None:
    """Each engine needs something else."""
    assert "nvidia-ctk cdi generate" in gpu_hint("podman")
    assert "container toolkit" in gpu_hint("docker")
    assert "--gpus 0" in gpu_hint("docker")
