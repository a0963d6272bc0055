"""Roles hold one another, and an account knows how far it reaches."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cogyard.domain.roles import Membership, Role
from cogyard.domain.values import Account

MADE = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Account(
    id=1,
    username="ann",
    name="Ann",
    created_at=MADE,
    memberships=(
        Membership(organization="acme", organization_id=7, role=Role.ADMIN),
        Membership(organization="zoo", organization_id=8, role=Role.READER),
    ),
)


def test_each_role_holds_those_before_it() -> None:
    """And none after it."""
    order = list(Role)
    assert order == ["reader", "writer", "admin", "owner"]
    for place, role in enumerate(order):
        assert [role.covers(other) for other in order] == [at <= place for at in range(len(order))]


@pytest.mark.parametrize(
    ("name", "number", "role"),
    [("ann", 1, Role.OWNER), ("ACME", 7, Role.ADMIN), ("Zoo", 8, Role.READER), ("bob", 9, None)],
)
def test_an_account_reaches_itself_and_where_it_belongs(name: str, number: int, role: Role | None) -> None:
    """By name, whatever its case, and by number."""
    assert ANN.role_in(name) is role
    assert ANN.role_at(number) is role
    assert ANN.belonging(name) == (number if role else ANN.id)


def test_what_an_account_may_do_where() -> None:
    """Names that reach as far as is needed, its own first; and all numbers that it sees."""
    assert ANN.namespaces(Role.READER) == ("ann", "acme", "zoo")
    assert ANN.namespaces(Role.WRITER) == ("ann", "acme")
    assert ANN.reached == (1, 7, 8)
