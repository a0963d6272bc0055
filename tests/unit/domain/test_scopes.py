"""How far tokens reach."""

from __future__ import annotations

from cogyard.domain.scopes import Scope


def test_each_scope_holds_those_before_it() -> None:
    """Looking is the least, everything the most."""
    reach = {scope: [needed for needed in Scope if scope.covers(needed)] for scope in Scope}
    assert reach == {
        Scope.READ: [Scope.READ],
        Scope.RUN: [Scope.READ, Scope.RUN],
        Scope.WRITE: [Scope.READ, Scope.RUN, Scope.WRITE],
    }
