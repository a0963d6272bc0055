"""Guessing is braked by name and by address, and the brake ends by itself."""

from __future__ import annotations

from cogyard.domain.guesses import OF_CLIENT, OF_NAME, SECONDS, Attempt, Guesses, SignIns
from hypothesis import given
from hypothesis import strategies as st


def test_a_key_waits_until_its_oldest_attempt_is_forgotten() -> None:
    """Exactly that long, and then for the next one."""
    guesses = Guesses(limit=2, seconds=10)
    guesses.count("a", 1)
    assert guesses.wait("a", 2) == 0
    guesses.count("a", 4)
    assert guesses.wait("a", 5) == 6
    assert guesses.wait("b", 5) == 0
    assert guesses.wait("a", 11) == 0
    guesses.count("a", 11)
    assert guesses.wait("a", 11) == 3


def test_what_is_taken_back_does_not_count() -> None:
    """Nor is anything of it remembered."""
    guesses = Guesses(limit=1)
    guesses.count("a", 1)
    guesses.take_back("a", 1)
    guesses.take_back("b", 1)
    assert guesses.wait("a", 1) == 0
    assert len(guesses) == 0


def test_only_so_much_is_remembered() -> None:
    """The key that was tried the longest ago is forgotten first."""
    guesses = Guesses(limit=1, remembered=2)
    for moment, key in enumerate("abac"):
        guesses.count(key, moment)
    assert len(guesses) == 2
    assert [guesses.wait(key, 4) > 0 for key in "abc"] == [True, False, True]


@given(st.lists(st.floats(0, 60), max_size=60), st.integers(1, 5))
def test_no_window_holds_more_than_the_limit(pauses: list[float], limit: int) -> None:
    """Whoever tries whenever they may, however they pause, has `limit` tries in any stretch of that length."""
    guesses, now, made = Guesses(limit=limit, seconds=100), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if guesses.wait("a", now) <= 0:
            guesses.count("a", now)
            made.append(now)
    for first, after in zip(made, made[limit:], strict=False):
        assert after - first >= 100 - 1e-6


def _failures(sign_ins: SignIns, count: int, name: str = "n{}", client: str = "c{}") -> None:
    for number in range(count):
        sign_ins.begin(Attempt(name.format(number), client.format(number), number))


def test_a_name_is_braked_from_everywhere() -> None:
    """Whatever its case; other names are not."""
    sign_ins = SignIns()
    _failures(sign_ins, OF_NAME, name="ann")
    assert sign_ins.wait(Attempt("ANN", "elsewhere", OF_NAME)) == SECONDS - OF_NAME
    assert sign_ins.wait(Attempt("bob", "elsewhere", OF_NAME)) == 0


def test_an_address_is_braked_for_every_name() -> None:
    """Other addresses are not, and one that is unknown never is."""
    sign_ins = SignIns()
    _failures(sign_ins, OF_CLIENT, client="here")
    _failures(sign_ins, OF_CLIENT, client="")
    assert sign_ins.wait(Attempt("new", "here", OF_CLIENT)) == SECONDS - OF_CLIENT
    assert sign_ins.wait(Attempt("new", "there", OF_CLIENT)) == 0
    assert sign_ins.wait(Attempt("new", "", OF_CLIENT)) == 0
