"""What instances work for, as one text: a version for whoever asks, or a version for one deployment alone. Pure.

The queue, the instances and the autoscaling policy compare these texts and nothing else.
"""

from __future__ import annotations

_MARK = "@"


def of_deployment(version: str, deployment_id: int) -> str:
    """Return what a deployment's instances of a version work for: nobody else's predictions."""
    return f"{version}{_MARK}{deployment_id}"


def version_of(deployable: str) -> str:
    """Return the version that its instances run."""
    return deployable.partition(_MARK)[0]


def is_own(deployable: str) -> bool:
    """Whether it is somebody's own, rather than for whoever asks for the version."""
    return _MARK in deployable
