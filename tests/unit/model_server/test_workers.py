"""What is decided about several workers without any."""

from __future__ import annotations

from pathlib import Path

import pytest
from cog_server.workers.devices import commands, devices, share
from cog_server.workers.health import Health, together
from cog_server.workers.process import WorkerCommand


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (None, None, []),
        (0, "0,1", []),
        (2, None, ["0", "1"]),
        (2, "3, GPU-abc,5", ["3", "GPU-abc"]),
        (1, "", ["0"]),
    ],
)
def test_gpus_are_those_the_operator_made_visible(
    count: int | None, visible: str | None, names: list[str]
) -> None:
    """Numbers stand for GPUs unless the environment names some already."""
    assert devices(count, visible) == names


@pytest.mark.parametrize(
    ("workers", "names", "shares"),
    [
        (1, [], [None]),
        (2, ["0", "1"], ["0", "1"]),
        (3, ["0", "1"], ["0", "1", "0"]),
        (2, ["0", "1", "2", "3", "4"], ["0,1", "2,3,4"]),
    ],
)
def test_gpus_are_shared_out(workers: int, names: list[str], shares: list[str | None]) -> None:
    """Every GPU is used, and no worker goes without one."""
    assert [share(number, workers, names) for number in range(workers)] == shares


def test_workers_get_their_gpus_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own environment goes before the server's."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    command = WorkerCommand(
        python=Path("p"), project=Path(), ref="a.py:A", env={"CUDA_VISIBLE_DEVICES": "4,5"}
    )
    assert [one.env["CUDA_VISIBLE_DEVICES"] for one in commands(command, 2, 2)] == ["4", "5"]
    assert commands(command, 1, None) == [command]


@pytest.mark.parametrize(
    ("states", "all_together"),
    [
        ([Health.SETUP_FAILED, Health.READY], Health.READY),
        ([Health.SETUP_FAILED, Health.STARTING], Health.STARTING),
        ([Health.SETUP_FAILED, Health.SETUP_FAILED], Health.SETUP_FAILED),
        ([Health.SETUP_FAILED, Health.DEFUNCT], Health.DEFUNCT),
    ],
)
def test_a_model_is_as_well_as_its_best_worker(states: list[Health], all_together: Health) -> None:
    """One worker that serves is enough to be READY."""
    assert together(states) is all_together
