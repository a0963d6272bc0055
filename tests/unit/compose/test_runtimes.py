"""Which runtime instances get."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cogyard.compose.runtimes import ORDER, Offer, RuntimeMissingError, choose
from cogyard.testing.instances import FakeRuntime


def _offers(*there: str) -> tuple[dict[str, Callable[[], Offer]], list[str]]:
    tried: list[str] = []

    def offering(name: str) -> Callable[[], Offer]:
        def offer() -> Offer:
            tried.append(name)
            return Offer(reason=None if name in there else f"no {name} here", make=lambda: FakeRuntime({}))

        return offer

    return {name: offering(name) for name in ORDER}, tried


def test_auto_takes_the_most_isolated() -> None:
    """The first that works is taken, those passed over are told with their reasons, the others are not even tried."""
    offers, tried = _offers("docker", "process")
    choice = choose("auto", offers)
    assert (choice.name, dict(choice.passed_over)) == ("docker", {"sandbox": "no sandbox here"})
    assert tried == ["sandbox", "docker"]


def test_a_named_one_is_taken_or_refused() -> None:
    """Nobody who asks for isolation gets less of it."""
    offers, tried = _offers("process")
    assert choose("process", offers).name == "process"
    with pytest.raises(
        RuntimeMissingError, match="The runtime sandbox does not work here: no sandbox here"
    ) as raised:
        choose("sandbox", offers)
    assert tried == ["process", "sandbox"]
    assert raised.value.hint
