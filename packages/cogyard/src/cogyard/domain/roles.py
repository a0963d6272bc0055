"""What a member of an organization may do. Each role holds those before it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """How far a member reaches with what is the organization's."""

    READER = "reader"
    """See everything that is the organization's, private too, and run its models."""

    WRITER = "writer"
    """Also make, push and change models and deployments, and delete what was run."""

    ADMIN = "admin"
    """Also say who is a member, make tokens and webhook endpoints, delete models, and show private ones to all."""

    OWNER = "owner"
    """Also make owners, and delete the organization."""

    def covers(self, needed: Role) -> bool:
        """Whether something that needs `needed` may be done."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = (Role.READER, Role.WRITER, Role.ADMIN, Role.OWNER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """That an account is a member of an organization. An invitation is none."""

    organization: str
    organization_id: int
    role: Role
