"""Deployments, under the name of the official client."""

from __future__ import annotations

from replicate.deployments import (
    Deployment,
    DeploymentPredictions,
    Deployments,
    DeploymentsPredictions,
)

__all__ = [
    "Deployment",
    "DeploymentPredictions",
    "Deployments",
    "DeploymentsPredictions",
]
