"""Who may know of a deployment, and who may change it. Pure."""

from __future__ import annotations

from cogyard.domain.deployments import Deployment
from cogyard.domain.values import Account


def may_see(caller: Account | None, deployment: Deployment) -> bool:
    """A deployment is seen, used and changed by its owner and the operator; for others it is not there."""
    return caller is not None and (caller.is_admin or caller.username.lower() == deployment.owner.lower())
