"""Who may know of a deployment, and who may change it. Pure."""

from __future__ import annotations

from cogyard.domain.deployments import Deployment
from cogyard.domain.roles import Role
from cogyard.domain.values import Account


def may_see(caller: Account | None, deployment: Deployment) -> bool:
    """A deployment is seen and used by its owner, an organization's members and the operator; else it is not there."""
    return sees_those_of(caller, deployment.owner)


def sees_those_of(caller: Account | None, owner: str) -> bool:
    """Whether an owner's deployments are there for the caller."""
    return caller is not None and (caller.is_admin or caller.role_in(owner) is not None)


def may_change(caller: Account, deployment: Deployment) -> bool:
    """A deployment is changed by its owner, an organization's writers and the operator."""
    role = Role.OWNER if caller.is_admin else caller.role_in(deployment.owner)
    return role is not None and role.covers(Role.WRITER)
