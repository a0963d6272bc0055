"""Organizations and members on the wire."""

from __future__ import annotations

from typing import Any

from cogyard.domain.roles import Role
from cogyard.domain.values import Account
from cogyard.features.accounts.routes import account_json
from cogyard.features.organizations.ports import Belonging, Member
from cogyard.http.moments import written


def organization_json(organization: Account, role: Role) -> dict[str, Any]:
    """Shape an organization for somebody who has that role in it."""
    return {**account_json(organization), "role": role.value, "created_at": written(organization.created_at)}


def belonging_json(belonging: Belonging) -> dict[str, Any]:
    """Shape an organization for one of its members, or of those who are invited."""
    joined_at = belonging.standing.joined_at
    return {
        **organization_json(belonging.organization, belonging.standing.role),
        "state": "member" if joined_at is not None else "invited",
        "invited_by": belonging.invited_by,
    }


def member_json(member: Member) -> dict[str, Any]:
    """Shape a member, or somebody who is invited."""
    return {
        "username": member.username,
        "name": member.name,
        "role": member.role.value,
        "state": "member" if member.joined else "invited",
        "invited_at": written(member.standing.invited_at),
        "joined_at": written(member.standing.joined_at),
    }
