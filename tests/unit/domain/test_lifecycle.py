"""The table of a prediction's life keeps its promises for every pair."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from cogyard.domain.lifecycle import TABLE, Effect, Event, State, diagram, move, state_of
from cogyard.domain.values import Status

DOCS = Path(__file__).parents[3] / "docs/reference/prediction-lifecycle.md"


@pytest.mark.parametrize(("state", "event"), list(product(sorted(s for s in State if s.terminal), Event)))
def test_nothing_follows_an_end(state: State, event: Event) -> None:
    """There is exactly one terminal state: no event moves a prediction that has ended."""
    assert move(state, event) is None


@pytest.mark.parametrize("state", [s for s in State if not s.terminal])
def test_a_live_prediction_can_always_be_canceled(state: State) -> None:
    """Cancel works at every moment before the end."""
    found = move(state, Event.CANCEL)
    assert found is not None
    assert found.state is State.CANCELED


@pytest.mark.parametrize(("pair", "found"), list(TABLE.items()))
def test_every_end_is_told_once_and_leaves_the_queue(pair: tuple[State, Event], found: object) -> None:
    """Moves into a terminal state, and only those, stamp the end, tell it and leave the queue."""
    effects = TABLE[pair].effects
    ends = {Effect.STAMP_COMPLETED, Effect.LEAVE_QUEUE, Effect.TELL_COMPLETED}
    assert (effects & ends) == (ends if TABLE[pair].state.terminal else set())


def test_a_taken_prediction_is_stopped_when_it_is_canceled() -> None:
    """An instance that holds it is told, so that its slot is freed."""
    for state in (State.CLAIMED, State.RUNNING):
        assert Effect.STOP_RUN in TABLE[state, Event.CANCEL].effects
    assert Effect.STOP_RUN not in TABLE[State.QUEUED, Event.CANCEL].effects


def test_a_deadline_in_the_queue_aborts_and_one_while_running_cancels() -> None:
    """What never began is aborted; what ran was worth something and is canceled."""
    assert TABLE[State.QUEUED, Event.EXPIRE].state is State.ABORTED
    assert TABLE[State.CLAIMED, Event.EXPIRE].state is State.ABORTED
    assert TABLE[State.RUNNING, Event.EXPIRE].state is State.CANCELED


def test_every_attempt_is_counted_where_the_model_begins() -> None:
    """Attempts are what the retry policy decides by."""
    counting = {pair for pair, found in TABLE.items() if Effect.COUNT_ATTEMPT in found.effects}
    assert counting == {(State.CLAIMED, Event.START), (State.CLAIMED, Event.SUCCEED)}


def test_states_map_to_stored_statuses_and_back() -> None:
    """What is stored (status and lease) gives the state again."""
    for state in State:
        leased = state in {State.CLAIMED, State.RUNNING}
        assert state_of(state.status, leased=leased) is state
    assert {state.status for state in State} == set(Status)


def test_every_state_is_reached_from_the_queue() -> None:
    """The table has no island."""
    seen = {State.QUEUED}
    while more := {to.state for (state, _), to in TABLE.items() if state in seen} - seen:
        seen |= more
    assert seen == set(State)


def test_the_docs_show_the_table_as_it_is() -> None:
    """The diagram in the reference is drawn from the table; paste `diagram()` there when it changes."""
    assert diagram() in DOCS.read_text(encoding="utf-8")
