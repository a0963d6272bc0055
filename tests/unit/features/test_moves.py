"""Every change of a prediction, on values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.lifecycle import Event, State
from cogyard.domain.retry import MAX_ATTEMPTS, Seen
from cogyard.domain.stream import Streamed
from cogyard.domain.values import Prediction, Status
from cogyard.features.predictions import moves
from cogyard.features.predictions.ports import Lease, Record, Ticket
from msgspec.structs import replace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
WORDS = moves.Words("msg")
LEASE = Lease(token="mine", instance="i", expires_at=NOW + timedelta(seconds=30))


def _prediction(**more: object) -> Prediction:
    made = Prediction(
        id="p",
        model="ann/hello",
        version="v",
        account_id=1,
        status=Status.STARTING,
        input={"a": 1},
        created_at=NOW,
        webhook="https://x",
        webhook_events=("start", "completed"),
    )
    return replace(made, **more)


def unknown(_lease_token: str) -> Seen:
    """Know of no lease."""
    return Seen.UNKNOWN


def _record(state: State, *, idempotent: bool = False, **more: object) -> Record:
    held = state in {State.CLAIMED, State.RUNNING}
    prediction = _prediction(
        status=state.status,
        started_at=NOW if state is State.RUNNING else None,
        attempts=int(state is State.RUNNING),
    )
    record = Record(
        prediction=prediction,
        ticket=None
        if state.terminal
        else Ticket(deployable="v", claims=int(held), lease=LEASE if held else None, idempotent=idempotent),
    )
    return replace(record, **more)


def test_a_claim_gives_the_lease_and_counts() -> None:
    """Only what waits is claimed."""
    change = moves.claim(lambda: LEASE)(_record(State.QUEUED))
    assert change is not None
    assert change.ticket == Ticket(deployable="v", claims=1, lease=LEASE)
    for state in set(State) - {State.QUEUED}:
        assert moves.claim(lambda: LEASE)(_record(state)) is None


def test_what_is_given_back_was_never_taken() -> None:
    """It waits as before, its claim uncounted; only its holder gives it back, and only before the model began."""
    change = moves.give_back("mine")(_record(State.CLAIMED))
    assert change is not None
    assert change.ticket == Ticket(deployable="v", claims=0)
    assert change.prediction.status is Status.STARTING
    assert moves.give_back("another's")(_record(State.CLAIMED)) is None
    for state in set(State) - {State.CLAIMED}:
        assert moves.give_back("mine")(_record(state)) is None


def test_a_start_is_stamped_counted_and_told_once() -> None:
    """By the holder of the lease alone."""
    change = moves.start("mine", LATER, WORDS)(_record(State.CLAIMED))
    assert change is not None
    assert change.prediction.status is Status.PROCESSING
    assert change.prediction.started_at == LATER
    assert change.prediction.attempts == 1
    assert [message.event for message in change.messages] == ["start"]
    assert moves.start("stale", LATER, WORDS)(_record(State.CLAIMED)) is None
    assert moves.start("mine", LATER, WORDS)(_record(State.RUNNING)) is None


def test_an_end_leaves_the_queue_with_output_metrics_and_a_message() -> None:
    """Times are what the clock said, predict_time what the model measured."""
    result = moves.Result(output={"x": 1}, metrics={"predict_time": 2.5, "tokens": 7})
    change = moves.finish("mine", Event.SUCCEED, result, LATER, WORDS)(_record(State.RUNNING))
    assert change is not None
    assert change.ticket is None
    assert change.prediction.output == {"x": 1}
    assert change.prediction.completed_at == LATER
    assert change.prediction.metrics == {"predict_time": 2.5, "tokens": 7, "total_time": 10.0}
    assert [message.event for message in change.messages] == ["completed"]


def test_an_answer_without_a_start_is_dated_back() -> None:
    """A model so quick that both come together still has a start, and its webhook."""
    result = moves.Result(output=1, metrics={"predict_time": 4.0})
    change = moves.finish("mine", Event.SUCCEED, result, LATER, WORDS)(_record(State.CLAIMED))
    assert change is not None
    assert change.prediction.started_at == LATER - timedelta(seconds=4)
    assert [message.event for message in change.messages] == ["start", "completed"]


@pytest.mark.parametrize("event", [Event.FAIL, Event.STOP, Event.SUCCEED])
def test_what_ends_before_its_start_was_reported_has_one(event: Event) -> None:
    """How long the model ran says when it began; what no model ran, as when setup() failed, has no start."""
    ran = moves.Result(metrics={"predict_time": 0.002}, error="x")
    change = moves.finish("mine", event, ran, LATER, WORDS)(_record(State.CLAIMED))
    assert change is not None
    assert change.prediction.started_at == LATER - timedelta(milliseconds=2)
    assert [message.event for message in change.messages] == ["start", "completed"]
    if event is not Event.SUCCEED:
        change = moves.finish("mine", event, moves.Result(error="x"), LATER, WORDS)(_record(State.CLAIMED))
        assert change is not None
        assert change.prediction.started_at is None
        assert [message.event for message in change.messages] == ["completed"]


def test_a_start_is_when_it_was() -> None:
    """However late it is reported; never before the prediction was asked for."""
    for ago, begun in ((4.0, LATER - timedelta(seconds=4)), (60.0, NOW)):
        change = moves.start("mine", LATER, WORDS, ago=ago)(_record(State.CLAIMED))
        assert change is not None
        assert change.prediction.started_at == begun
        assert change.prediction.metrics == {}


def test_a_clock_set_back_ends_nothing_before_it_began() -> None:
    """completed_at is never before started_at or created_at."""
    past = NOW - timedelta(hours=1)
    for state in (State.CLAIMED, State.RUNNING):
        change = moves.finish("mine", Event.SUCCEED, moves.Result(), past, WORDS)(_record(state))
        assert change is not None
        completed, started = change.prediction.completed_at, change.prediction.started_at
        assert completed is not None
        assert started is not None
        assert NOW <= started <= completed
        assert change.prediction.metrics["predict_time"] >= 0


def test_what_was_streamed_is_the_output() -> None:
    """Also of a run that was stopped; with nothing streamed a success is an empty list and a stop is null."""
    streamed = Streamed(outputs=("a", "b"), logs="l", last=3)
    done = moves.finish("mine", Event.SUCCEED, moves.Result(streamed=True), LATER, WORDS)
    stop = moves.stop(Event.CANCEL, LATER, WORDS)
    for decide in (done, stop):
        change = decide(_record(State.RUNNING, streamed=streamed))
        assert change is not None
        assert change.prediction.output == ["a", "b"]
        assert change.prediction.logs == "l"
        assert [event.id for event in change.events] == [4]
    empty, stopped = done(_record(State.RUNNING)), stop(_record(State.RUNNING))
    assert empty is not None
    assert empty.prediction.output == []
    assert stopped is not None
    assert stopped.prediction.output is None


@pytest.mark.parametrize("state", [state for state in State if state.terminal])
def test_nothing_changes_what_has_ended(state: State) -> None:
    """Whoever comes late."""
    record = _record(state)
    decisions = (
        moves.claim(lambda: LEASE),
        moves.start("mine", LATER, WORDS),
        moves.finish("mine", Event.SUCCEED, moves.Result(), LATER, WORDS),
        moves.stop(Event.CANCEL, LATER, WORDS),
        moves.lose(LATER, WORDS, unknown, void=True),
    )
    assert [decide(record) for decide in decisions] == [None] * 5


def test_a_lost_prediction_waits_again_without_what_it_left() -> None:
    """Its start is forgotten, its attempts are not, and the log says what happened."""
    streamed = Streamed(outputs=("a",), logs="l", last=5)
    record = _record(State.RUNNING, idempotent=True, streamed=streamed)
    change = moves.lose(LATER, WORDS, unknown, void=True)(record)
    assert change is not None
    assert change.prediction.status is Status.STARTING
    assert change.prediction.started_at is None
    assert change.prediction.attempts == 1
    assert change.ticket is not None
    assert change.ticket.lease is None
    assert change.forget_streamed
    assert [(event.id, event.name) for event in change.events] == [(5 + moves.UNWRITTEN + 1, "logs")]
    assert change.messages == ()


def test_what_runs_was_seen_even_where_the_notes_are_lost() -> None:
    """A start that was reported is in the record; the error says what happened, and what was streamed is kept."""
    streamed = Streamed(outputs=("a",), logs="l", last=5)
    change = moves.lose(LATER, WORDS, unknown, void=True)(_record(State.RUNNING, streamed=streamed))
    assert change is not None
    assert change.prediction.status is Status.FAILED
    assert "while the model ran it" in (change.prediction.error or "")
    assert (change.prediction.output, change.prediction.logs) == (["a"], "l")
    assert [message.event for message in change.messages] == ["completed"]


def test_a_start_that_turned_out_to_be_none_is_no_handover() -> None:
    """A server that refused late may have been taken for one that began; its instance has dropped the note."""
    change = moves.lose(LATER, WORDS, lambda _token: Seen.NO, void=True)(_record(State.RUNNING))
    assert change is not None
    assert change.prediction.status is Status.STARTING


@pytest.mark.parametrize(
    ("seen", "idempotent", "status", "attempts"),
    [
        (Seen.NO, False, Status.STARTING, 0),
        (Seen.NO, True, Status.STARTING, 0),
        (Seen.YES, False, Status.FAILED, 1),
        (Seen.YES, True, Status.STARTING, 1),
        (Seen.UNKNOWN, False, Status.FAILED, 1),
        (Seen.UNKNOWN, True, Status.STARTING, 1),
    ],
)
def test_a_claim_whose_start_was_not_reported(
    seen: Seen, idempotent: bool, status: Status, attempts: int
) -> None:
    """Whether a model saw it decides; what it may have seen counts as an attempt."""
    asked: list[str] = []

    def noted(lease_token: str) -> Seen:
        asked.append(lease_token)
        return seen

    change = moves.lose(LATER, WORDS, noted, void=True)(_record(State.CLAIMED, idempotent=idempotent))
    assert change is not None
    assert (change.prediction.status, change.prediction.attempts) == (status, attempts)
    assert asked == ["mine"]


def test_a_lease_that_holds_is_not_lost() -> None:
    """Renewed in time means alive."""
    assert moves.lose(LATER, WORDS, unknown)(_record(State.RUNNING)) is None
    assert moves.lose(LEASE.expires_at, WORDS, unknown)(_record(State.RUNNING)) is not None


def test_the_last_interruption_is_a_failure_with_its_reason() -> None:
    """And it is told like any end."""
    record = _record(State.RUNNING, idempotent=True)
    record = replace(record, prediction=replace(record.prediction, attempts=MAX_ATTEMPTS))
    change = moves.lose(LATER, WORDS, unknown, void=True)(record)
    assert change is not None
    assert change.prediction.status is Status.FAILED
    assert "interrupted" in (change.prediction.error or "")
    assert [message.event for message in change.messages] == ["completed"]


def test_a_deadline_counts_only_when_it_has_passed() -> None:
    """Queued it aborts, running it cancels."""
    for state, status in ((State.QUEUED, Status.ABORTED), (State.RUNNING, Status.CANCELED)):
        record = _record(state)
        record = replace(record, prediction=replace(record.prediction, deadline=LATER))
        assert moves.stop(Event.EXPIRE, NOW, WORDS)(record) is None
        change = moves.stop(Event.EXPIRE, LATER, WORDS)(record)
        assert change is not None
        assert change.prediction.status is status


def test_secrets_are_gone_at_the_end() -> None:
    """Whatever the end is."""
    record = _record(State.RUNNING)
    record = replace(record, prediction=replace(record.prediction, secret_inputs=("a",)))
    change = moves.stop(Event.CANCEL, LATER, WORDS)(record)
    assert change is not None
    assert change.prediction.input == {"a": "**********"}
