"""Who may know of a prediction, and who may do more than look. Pure."""

from __future__ import annotations

from cogyard.domain.roles import Role
from cogyard.domain.values import Account, Prediction


def may_see(caller: Account | None, prediction: Prediction) -> bool:
    """A prediction is seen and canceled by the account that it belongs to; of an organization by every member."""
    return caller is not None and caller.role_at(prediction.account_id) is not None


def may_change(caller: Account, prediction: Prediction) -> bool:
    """An organization's predictions are deleted, and told of again, by its writers."""
    role = caller.role_at(prediction.account_id)
    return role is not None and role.covers(Role.WRITER)


def asker(caller: Account, account_id: int | None) -> str | None:
    """Return who asks for what is another account's; None where they are the same."""
    return caller.username if account_id not in {None, caller.id} else caller.acted_by
