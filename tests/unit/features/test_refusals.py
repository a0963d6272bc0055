"""How many refusals the audit log takes."""

from __future__ import annotations

from cogyard.features.audit.refusals import MOST, PERIOD, REMEMBERED, Refusals


def test_an_hour_makes_room_for_as_many_again() -> None:
    """So many at once, then one as room comes free; nobody's are never taken."""
    refusals = Refusals()
    assert [refusals.admit("ada", 0.0) for _ in range(MOST + 1)] == [True] * MOST + [False]
    assert refusals.admit("bob", 0.0)
    assert not refusals.admit("ada", PERIOD / MOST / 2)
    assert refusals.admit("ada", PERIOD / MOST + 1)
    assert [refusals.admit("ada", 3 * PERIOD) for _ in range(MOST + 1)] == [True] * MOST + [False]
    assert not refusals.admit("", 0.0)


def test_many_accounts_take_no_more_memory() -> None:
    """The one that was refused the longest ago is forgotten, and begins anew."""
    refusals = Refusals()
    for _ in range(MOST):
        refusals.admit("first", 0.0)
    for number in range(REMEMBERED - 1):
        refusals.admit(str(number), 0.0)
    assert not refusals.admit("first", 0.0)
    for number in range(REMEMBERED):
        refusals.admit(str(number), 0.0)
    assert refusals.admit("first", 0.0)
