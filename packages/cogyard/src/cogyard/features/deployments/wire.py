"""A deployment on the wire."""

from __future__ import annotations

from typing import Any

from cogyard.domain.deployments import Deployment, Release
from cogyard.features.accounts.routes import account_json
from cogyard.features.deployments.rollouts import Progress
from cogyard.http.moments import written


def deployment_json(deployment: Deployment, progress: Progress | None = None) -> dict[str, Any]:
    """Shape a deployment with its current release; `rollout` is ours, and there only while that gets ready."""
    shaped: dict[str, Any] = {
        "owner": deployment.owner,
        "name": deployment.name,
        "current_release": release_json(deployment, deployment.release),
    }
    if progress is not None:
        shaped["rollout"] = {
            "awaited": list(progress.awaited),
            "serving": progress.serving,
            "failing": list(progress.failing),
        }
    return shaped


def release_json(deployment: Deployment, release: Release) -> dict[str, Any]:
    """Shape a release; `split` is ours, and there only when there is one."""
    wanted = release.configuration
    configuration: dict[str, Any] = {
        "hardware": wanted.hardware,
        "min_instances": wanted.min_instances,
        "max_instances": wanted.max_instances,
    }
    if wanted.split is not None:
        configuration["split"] = {"version": wanted.split.version, "percent": wanted.split.percent}
    return {
        "number": release.number,
        "model": deployment.model,
        "version": wanted.version,
        "created_at": written(release.created_at),
        "created_by": account_json(release.created_by),
        "configuration": configuration,
    }
