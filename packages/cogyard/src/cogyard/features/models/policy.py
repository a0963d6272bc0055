"""Who may know of a model, and who may change it. Pure."""

from __future__ import annotations

from cogyard.domain.roles import Role
from cogyard.domain.values import Account, Model, Visibility


def reaches(caller: Account | None, owner: str, needed: Role) -> bool:
    """Whether the caller may do with what is an owner's what a role may: the operator may do all."""
    if caller is None:
        return False
    role = Role.OWNER if caller.is_admin else caller.role_in(owner)
    return role is not None and role.covers(needed)


def belongs(caller: Account | None, owner: str) -> bool:
    """Whether the caller is that owner or one of its members."""
    return caller is not None and caller.role_in(owner) is not None


def may_see(caller: Account | None, model: Model) -> bool:
    """Everybody sees a public model; a private one its owner's people and the operator; for others it is not there."""
    return model.visibility is Visibility.PUBLIC or sees_all_of(caller, model.owner)


def may_change(caller: Account | None, model: Model) -> bool:
    """Only the owner, an organization's writers and the operator change a model."""
    return reaches(caller, model.owner, Role.WRITER)


def may_govern(caller: Account | None, model: Model) -> bool:
    """Whether the caller may delete a model, or show it to others than before: of an organization its admins."""
    return reaches(caller, model.owner, Role.ADMIN)


def may_create(caller: Account, owner: str) -> bool:
    """Models are made in one's own namespace and where one is a writer; the operator makes them in any."""
    return reaches(caller, owner, Role.WRITER)


def sees_all_of(caller: Account | None, owner: str) -> bool:
    """Whether an owner's list shows the caller its private models too."""
    return reaches(caller, owner, Role.READER)


def why_not(caller: Account, owner: str, needed: Role) -> str:
    """Say why the caller may not make something under a name; the same whether or not there is such an account."""
    role = caller.role_in(owner)
    if role is not None:
        return f"As a {role} of {owner} you may not do this; a {needed} may."
    own = ", ".join(f"{name}/…" for name in caller.namespaces(needed)) or "nothing of your own"
    return f"You may make things under {own}, not under {owner}/…."
