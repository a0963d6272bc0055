"""Who may know of a model, and who may change it. Pure."""

from __future__ import annotations

from cogyard.domain.values import Account, Model, Visibility


def owns(caller: Account | None, owner: str) -> bool:
    """Whether the caller is that owner; names are the same whatever their case."""
    return caller is not None and caller.username.lower() == owner.lower()


def may_see(caller: Account | None, model: Model) -> bool:
    """Everybody sees a public model; a private one its owner and the operator, and for others it is not there."""
    return model.visibility is Visibility.PUBLIC or may_change(caller, model)


def may_change(caller: Account | None, model: Model) -> bool:
    """Only the owner and the operator change a model."""
    return caller is not None and (owns(caller, model.owner) or caller.is_admin)


def may_create(caller: Account, owner: str) -> bool:
    """Models are made in one's own namespace; the operator makes them in any."""
    return owns(caller, owner) or caller.is_admin


def sees_all_of(caller: Account | None, owner: str) -> bool:
    """Whether an owner's list shows the caller its private models too."""
    return owns(caller, owner) or (caller is not None and caller.is_admin)
