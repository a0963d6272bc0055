"""Which of an engine's builders is taken, as far as it is decided without asking the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.engine import Client, builder_of

DOCKER = Client(name="docker", program=Path("/nowhere/docker"))


def test_the_variable_decides_between_docker_s_builders() -> None:
    """DOCKER_BUILDKIT is the user's word: 0 is the older builder, which mounts nothing, anything else BuildKit."""
    older, newer = (builder_of(DOCKER, {"DOCKER_BUILDKIT": value}) for value in ("0", "1"))
    assert (older.mounts, older.variables) == (False, {"DOCKER_BUILDKIT": "0"})
    assert (newer.mounts, newer.variables) == (True, {"DOCKER_BUILDKIT": "1"})
    assert older.name == "docker (the older builder)"
    assert newer.name == "docker (BuildKit)"


def test_podman_mounts_by_itself() -> None:
    """It has one builder, whatever Docker's variable says; the network of the steps is passed on."""
    podman = Client(name="podman", program=Path("/nowhere/podman"))
    found = builder_of(podman, {"DOCKER_BUILDKIT": "0", "COGYARD_BUILD_NETWORK": "host"})
    assert (found.mounts, found.name, found.network) == (True, "podman", "host")
    assert not found.variables


@pytest.mark.parametrize(("buildkit", "asked"), [("0", True), ("1", False)])
def test_a_step_that_fails_leaves_no_container(tmp_path: Path, buildkit: str, asked: bool) -> None:
    """Docker's older builder removes it only where that is asked for."""
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$@"\n')
    docker.chmod(0o755)
    said: list[str] = []
    builder = builder_of(Client(name="docker", program=docker), {"DOCKER_BUILDKIT": buildkit})
    builder.build("name", "FROM scratch", secrets={}, fresh=False, on_line=said.append)
    assert ("--force-rm" in said[0].split()) is asked
