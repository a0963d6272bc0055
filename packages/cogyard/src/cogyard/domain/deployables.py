"""What instances work for, as one text: a version for whoever asks, for one deployment, or for trainings. Pure.

The queue, the instances and the autoscaling policy compare these texts and nothing else.
"""

from __future__ import annotations

_MARK = "@"
_TRAIN = "train"


def of_deployment(version: str, deployment_id: int) -> str:
    """Return what a deployment's instances of a version work for: nobody else's predictions."""
    return f"{version}{_MARK}{deployment_id}"


def of_training(version: str) -> str:
    """Return what instances that train a version work for: no prediction waits for a training to end."""
    return f"{version}{_MARK}{_TRAIN}"


def is_training(deployable: str) -> bool:
    """Whether its instances train."""
    return deployable.partition(_MARK)[2] == _TRAIN


def version_of(deployable: str) -> str:
    """Return the version that its instances run."""
    return deployable.partition(_MARK)[0]


def deployment_of(deployable: str) -> int | None:
    """Return the deployment whose its instances are; None for versions and trainings."""
    mark = deployable.partition(_MARK)[2]
    return int(mark) if mark.isdigit() else None


def is_own(deployable: str) -> bool:
    """Whether it is somebody's own, rather than for whoever asks for the version."""
    return _MARK in deployable
