"""The transition table of a prediction's life."""

from __future__ import annotations

from pathlib import Path

import pytest
from cog_server import lifecycle_page
from cog_server.lifecycle import TABLE, TERMINAL, Effect, Event, State, status, step
from hypothesis import given
from hypothesis import strategies as st

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "lifecycle.md"


def test_a_plain_prediction_goes_straight_through() -> None:
    """Accepted, given a slot, succeeded: three steps, and the slot is freed before the answer."""
    state, effects = step(State.NEW, Event.ACCEPTED)
    assert (state, effects) == (State.WAITING, (Effect.ENQUEUE,))
    state, effects = step(state, Event.SLOT)
    assert (state, effects) == (State.RUNNING, (Effect.SEND, Effect.EMIT_START))
    state, effects = step(state, Event.SUCCEEDED)
    assert (state, effects) == (State.SUCCEEDED, (Effect.FREE_SLOT, Effect.COMPLETE))


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_no_order_of_events_completes_a_prediction_twice(events: list[Event]) -> None:
    """Whatever happens and in whatever order, a prediction completes once at most, and then stays as it is."""
    state, completions = State.NEW, 0
    for event in events:
        if (state, event) not in TABLE and state not in TERMINAL:
            continue
        before = state
        state, effects = step(state, event)
        completions += effects.count(Effect.COMPLETE)
        assert before not in TERMINAL or (state is before and effects == ())
    assert completions == (1 if state in TERMINAL else 0)


def test_every_terminal_transition_completes_and_none_other_does() -> None:
    """COMPLETE is performed exactly when a terminal state is entered."""
    for (state, _), (following, effects) in TABLE.items():
        assert (Effect.COMPLETE in effects) == (following in TERMINAL and state not in TERMINAL)


def test_a_slot_is_given_back_exactly_when_the_worker_is_done() -> None:
    """A prediction frees its slot when it leaves the states in which the worker holds it, and before completing."""
    holding = {State.RUNNING, State.CANCELING, State.STOPPING}
    for (state, _), (following, effects) in TABLE.items():
        assert (Effect.FREE_SLOT in effects) == (state in holding and following not in holding)
        if Effect.FREE_SLOT in effects and Effect.COMPLETE in effects:
            assert effects.index(Effect.FREE_SLOT) < effects.index(Effect.COMPLETE)


def test_every_state_can_be_reached_and_left() -> None:
    """There is no dead end but the three ends, and no state that nothing leads to."""
    reached = {State.NEW} | {following for following, _ in TABLE.values()}
    assert reached == set(State)
    assert {state for state, _ in TABLE} == set(State) - TERMINAL


def test_a_dead_worker_fails_what_ran_and_cancels_what_was_being_canceled() -> None:
    """A death after a cancel is the cancel's success; a death without one is a failure."""
    assert step(State.RUNNING, Event.DIED)[0] is State.FAILED
    assert step(State.CANCELING, Event.DIED)[0] is State.CANCELED
    assert step(State.STOPPING, Event.DIED)[0] is State.FAILED


def test_an_event_that_cannot_happen_is_our_own_mistake() -> None:
    """A living prediction does not swallow an event that its table does not name."""
    with pytest.raises(KeyError, match="waiting"):
        step(State.WAITING, Event.OUTPUT)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_public_status(state: State) -> None:
    """The HTTP API has a word for every state."""
    assert status(state) in {"starting", "processing", "succeeded", "failed", "canceled"}


def test_the_page_is_what_the_table_gives(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The committed page is generated from the table, and --check notices when it is not."""
    assert lifecycle_page.main([str(PAGE), "--check"]) == 0
    stale = tmp_path / "page.md"
    stale.write_text("old")
    assert lifecycle_page.main([str(stale), "--check"]) == 1
    assert "write it anew" in capsys.readouterr().err
    assert lifecycle_page.main([str(stale)]) == 0
    assert lifecycle_page.main([str(stale), "--check"]) == 0
