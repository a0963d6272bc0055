"""Who may become what in an organization. Pure: members in, a standing out, or the reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cogyard.domain.roles import Role
from cogyard.features.organizations.ports import Member, Standing
from cogyard.http.errors import ConflictError, ForbiddenError, NotFoundError

#: Members and invitations of one organization.
MOST_MEMBERS = 1000


def put(
    members: tuple[Member, ...], username: str, role: Role, *, by: Role, at: datetime, by_id: int | None
) -> Standing:
    """Return the standing of somebody who is invited, or whose role changes.

    Raises ForbiddenError, and ConflictError when nobody would own the organization.
    """
    before = find(members, username)
    _require(by, "say who is a member")
    if Role.OWNER in {role, before.role if before is not None else None} and by is not Role.OWNER:
        raise ForbiddenError("Only an owner makes owners, or changes what one may do.")
    if before is None:
        if len(members) >= MOST_MEMBERS:
            raise ConflictError(
                f"There are {len(members)} members and invitations; at most {MOST_MEMBERS} fit."
            )
        return Standing(role=role, invited_at=at, invited_by=by_id)
    if role is not Role.OWNER:
        _keep_an_owner(members, before, f"{before.username} cannot become a {role}")
    return replace(before.standing, role=role)


def removed(members: tuple[Member, ...], username: str, *, by: Role | None, oneself: bool) -> None:
    """Let a member go, or an invitation: others need an admin, everybody may leave.

    Raises NotFoundError for who is none, ForbiddenError, and ConflictError for the last owner.
    """
    before = find(members, username)
    if not oneself:
        _require(by, "remove members")
    if before is None:
        raise NotFoundError
    if not oneself and before.role is Role.OWNER and by is not Role.OWNER:
        raise ForbiddenError("Only an owner removes an owner.")
    _keep_an_owner(members, before, f"{before.username} cannot leave")


def joined(members: tuple[Member, ...], username: str, *, at: datetime) -> Standing:
    """Return the standing of somebody who accepts; of a member it stays. Raises NotFoundError without an invitation."""
    before = find(members, username)
    if before is None:
        raise NotFoundError
    return before.standing if before.joined else replace(before.standing, joined_at=at)


def find(members: tuple[Member, ...], username: str) -> Member | None:
    """Return the member or invited one of that name."""
    return next((each for each in members if each.username.lower() == username.lower()), None)


def _require(by: Role | None, what: str) -> None:
    if by is None or not by.covers(Role.ADMIN):
        raise ForbiddenError(f"As a {by} you may not {what}; an admin or an owner may.")


def _keep_an_owner(members: tuple[Member, ...], leaving: Member, what: str) -> None:
    owners = [each for each in members if each.joined and each.role is Role.OWNER]
    if [each.account_id for each in owners] == [leaving.account_id]:
        raise ConflictError(
            f"{what}: nobody else owns the organization. Make another member an owner first, or delete it."
        )
