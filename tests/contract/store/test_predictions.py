"""What every store of predictions promises: changes that are one step, a queue in order, leases that guard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cogyard.domain.ids import new_id
from cogyard.domain.stream import Item, numbered, output_item
from cogyard.domain.values import Prediction, Status
from cogyard.domain.waiting import Urgency
from cogyard.features.predictions.ports import Change, Once, Record, Taken, Ticket

from tests.contract.store.conftest import NOW, Stores
from tests.contract.store.waiting import LEASE, V, add

pytestmark = pytest.mark.anyio


async def _served(stores: Stores, most: int = 1) -> list[str]:
    """Take so many and let them end; return which they are."""

    def lease(record: Record) -> Change:
        own = msgspec.structs.replace(LEASE, token=record.prediction.id)
        return Change(prediction=record.prediction, ticket=Ticket(deployable=V, claims=1, lease=own))

    taken = await stores.predictions.take(V, lease, most)
    for each in taken.changes:
        await stores.predictions.change(
            each.prediction.id, lambda r: Change(prediction=r.prediction, ticket=None)
        )
    return [change.prediction.id for change in taken.changes]


def _lease(record: Record) -> Change:
    assert record.ticket is not None
    return Change(
        prediction=record.prediction,
        ticket=msgspec.structs.replace(record.ticket, lease=LEASE, claims=record.ticket.claims + 1),
    )


async def test_a_prediction_comes_back_whole(stores: Stores) -> None:
    """Every field, by id and by stream."""
    made = await add(stores)
    found = await stores.predictions.get(made.id)
    assert found == Record(prediction=made, ticket=Ticket(deployable=V))
    again = await add(stores, 1, idempotent=True)
    kept = await stores.predictions.get(again.id)
    assert kept == Record(prediction=again, ticket=Ticket(deployable=V, idempotent=True))
    assert await stores.predictions.stream_of("stream-0") == made.id
    assert await stores.predictions.get("0" * 26) is None
    assert await stores.predictions.stream_of("x") is None


async def test_a_change_is_decided_on_what_is_kept(stores: Stores) -> None:
    """What is decided is written; deciding nothing writes nothing, not even events."""
    made = await add(stores)
    ended = msgspec.structs.replace(
        made, status=Status.SUCCEEDED, output={"a": [1]}, error=None, metrics={"t": 1.5}, completed_at=NOW
    )

    def nothing(record: Record) -> Change | None:
        return None

    assert await stores.predictions.change(made.id, nothing, events=numbered(1, [output_item("x")])) is None
    assert await stores.predictions.events(made.id, 0) == ()
    change = await stores.predictions.change(made.id, lambda record: Change(prediction=ended, ticket=None))
    assert change is not None
    assert await stores.predictions.get(made.id) == Record(prediction=ended)
    assert await stores.predictions.waiting() == {}
    assert (
        await stores.predictions.change("0" * 26, lambda record: Change(prediction=ended, ticket=None))
        is None
    )


async def test_an_error_while_deciding_changes_nothing(stores: Stores) -> None:
    """It goes to whoever asked."""
    made = await add(stores)

    def breaks(record: Record) -> Change | None:
        raise ValueError

    with pytest.raises(ValueError):
        await stores.predictions.change(made.id, breaks)
    found = await stores.predictions.get(made.id)
    assert found is not None
    assert found.prediction == made


async def test_the_oldest_waiting_ticket_is_taken(stores: Stores) -> None:
    """In order, of one deployable, each once."""
    first, second = await add(stores, 0), await add(stores, 1)
    other = await add(stores, 2, version="b" * 64)
    assert await stores.predictions.waiting() == {V: 2, "b" * 64: 1}
    for expected in (first, second):
        taken = await stores.predictions.take(
            V, lambda record: msgspec.structs.replace(_lease(record), prediction=record.prediction)
        )
        assert [change.prediction for change in taken.changes] == [expected]
        assert taken.more is (expected is first)
        await stores.predictions.change(
            expected.id, lambda record: Change(prediction=record.prediction, ticket=None)
        )
    assert await stores.predictions.take(V, _lease) == Taken(changes=(), more=False)
    assert await stores.predictions.waiting() == {"b" * 64: 1}
    found = await stores.predictions.get(other.id)
    assert found is not None
    assert found.ticket is not None


async def test_several_tickets_are_taken_at_once(stores: Stores) -> None:
    """The oldest first, at most so many, and whether more wait."""
    made = [await add(stores, number) for number in range(3)]

    def lease(record: Record) -> Change:
        own = msgspec.structs.replace(LEASE, token=record.prediction.id)
        ticket = Ticket(deployable=V, claims=1, lease=own)
        return Change(prediction=record.prediction, ticket=ticket)

    for most, expected, more in ((2, made[:2], True), (2, made[2:], False)):
        taken = await stores.predictions.take(V, lease, most)
        assert [change.prediction for change in taken.changes] == expected
        assert taken.more is more
    assert await stores.predictions.waiting() == {}


async def test_accounts_take_turns(stores: Stores) -> None:
    """However much one has waiting, another's next waits for one of its, and each one's own are in order."""
    ann = [(await add(stores, number)).id for number in range(5)]
    assert await _served(stores, 2) == ann[:2]
    assert list((await stores.predictions.waiting_by_account()).values()) == [3]
    bob = [(await add(stores, number, of="bob")).id for number in (10, 11)]
    cid = (await add(stores, 12, of="cid")).id
    wanted = [ann[2], bob[0], cid, ann[3], bob[1], ann[4]]
    for number, each in enumerate(wanted, 1):
        place = await stores.predictions.position(each)
        assert place is not None
        assert (place.position, each) == (number, each)
    assert sorted((await stores.predictions.waiting_by_account()).values()) == [1, 2, 3]
    assert await _served(stores, 4) == wanted[:4]
    later = (await add(stores, 13, of="cid")).id
    assert await _served(stores) + await _served(stores, 9) == [bob[1], later, ann[4]]


async def test_who_asks_one_at_a_time_waits_for_one_of_each_other(stores: Stores) -> None:
    """Also when nothing of its own waits when it asks."""
    ann = [(await add(stores, number)).id for number in range(4)]
    for number in range(3):
        mine = (await add(stores, 10 + number, of="bob")).id
        assert await _served(stores, 2) == [ann[number], mine]


async def test_the_urgent_goes_first_among_ones_own(stores: Stores) -> None:
    """It takes the account's next place; nobody else waits longer, and the others keep their order."""
    low = (await add(stores, 0, urgency=Urgency.LOW)).id
    ann = [(await add(stores, number)).id for number in (1, 2)]
    bob = [(await add(stores, number, of="bob")).id for number in (3, 4)]
    high = (await add(stores, 5, urgency=Urgency.HIGH)).id
    wanted = [high, bob[0], ann[0], bob[1], ann[1], low]
    for number, each in enumerate(wanted, 1):
        place = await stores.predictions.position(each)
        assert place is not None
        assert (place.position, each) == (number, each)
    assert await _served(stores) + await _served(stores, 9) == wanted


async def test_what_is_given_back_keeps_its_turn(stores: Stores) -> None:
    """It is the next again, before whoever came meanwhile."""
    first = (await add(stores, 0)).id
    await stores.predictions.take(V, _lease)
    other = (await add(stores, 1, of="bob")).id
    await stores.predictions.change(
        first, lambda r: Change(prediction=r.prediction, ticket=Ticket(deployable=V, claims=0))
    )
    assert await _served(stores, 2) == [first, other]


async def test_leases_guard_and_expire(stores: Stores) -> None:
    """Only the holder renews and appends; expired ones are found."""
    made = await add(stores)
    assert await stores.predictions.leased(expired_by=None, limit=9) == ()
    await stores.predictions.take(V, _lease)
    held = await stores.predictions.by_lease("lease")
    assert held is not None
    assert held.prediction.id == made.id
    assert await stores.predictions.by_lease("other") is None
    assert await stores.predictions.leased(expired_by=NOW, limit=9) == ()
    assert await stores.predictions.leased(expired_by=NOW + timedelta(seconds=30), limit=9) == (made.id,)
    assert await stores.predictions.leased(expired_by=None, limit=9) == (made.id,)
    assert not await stores.predictions.renew(made.id, "other", NOW)
    assert await stores.predictions.renew(made.id, "lease", NOW + timedelta(hours=1))
    assert await stores.predictions.leased(expired_by=NOW + timedelta(minutes=1), limit=9) == ()
    assert not await stores.predictions.append(made.id, "other", numbered(1, [output_item("x")]), ())
    assert await stores.predictions.append(made.id, "lease", numbered(1, [output_item("x")]), ())


async def test_leases_can_be_prolonged_together(stores: Stores) -> None:
    """None ends earlier for it, and what has no lease gets none."""
    made = await add(stores)
    waiting = await add(stores, 1)
    await stores.predictions.take(V, _lease)
    await stores.predictions.prolong(NOW)
    assert await stores.predictions.leased(expired_by=LEASE.expires_at, limit=9) == (made.id,)
    await stores.predictions.prolong(NOW + timedelta(hours=1))
    assert await stores.predictions.leased(expired_by=NOW + timedelta(minutes=59), limit=9) == ()
    assert await stores.predictions.leased(expired_by=NOW + timedelta(hours=1), limit=9) == (made.id,)
    found = await stores.predictions.get(waiting.id)
    assert found is not None
    assert found.ticket is not None
    assert found.ticket.lease is None


async def test_what_was_streamed_is_put_together(stores: Stores) -> None:
    """Batches and the last events of a change, in order; strings and other values stay what they are."""
    made = await add(stores)
    await stores.predictions.take(V, _lease)
    first = numbered(1, [output_item("1"), Item("logs", "a\n")])
    second = numbered(3, [output_item(1), output_item({"é": None})])
    await stores.predictions.append(made.id, "lease", first, ())
    seen: list[Record] = []

    def end(record: Record) -> Change:
        seen.append(record)
        return Change(prediction=record.prediction, ticket=None, events=numbered(5, [Item("done", "{}")]))

    await stores.predictions.change(made.id, end, events=second)
    assert seen[0].streamed.outputs == ("1", 1, {"é": None})
    assert seen[0].streamed.logs == "a\n"
    assert seen[0].streamed.last == 4
    kept = await stores.predictions.events(made.id, 2)
    assert [event.id for event in kept] == [3, 4, 5]
    assert kept[:2] == second


async def test_a_lost_runs_stream_is_dropped(stores: Stores) -> None:
    """Only what the change adds remains."""
    made = await add(stores)
    await stores.predictions.take(V, _lease)
    await stores.predictions.append(made.id, "lease", numbered(1, [output_item("lost")]), ())
    note = numbered(2, [Item("logs", "again\n")])

    def lose(record: Record) -> Change:
        return Change(
            prediction=record.prediction,
            ticket=Ticket(deployable=V, claims=1),
            events=note,
            forget_streamed=True,
        )

    await stores.predictions.change(made.id, lose)
    assert await stores.predictions.events(made.id, 0) == note


async def test_old_streams_are_pruned_when_they_have_ended(stores: Stores) -> None:
    """Those of predictions that live stay."""
    made, living = await add(stores, 0), await add(stores, 1)
    ended = msgspec.structs.replace(made, status=Status.CANCELED, completed_at=NOW)
    for each in (made, living):
        await stores.predictions.take(V, _lease)
        await stores.predictions.append(each.id, "lease", numbered(1, [output_item("x")]), ())
        if each is made:
            await stores.predictions.change(made.id, lambda _: Change(prediction=ended, ticket=None))
    assert await stores.predictions.prune_events(datetime(2200, 1, 1, tzinfo=UTC)) == 1
    assert await stores.predictions.events(made.id, 0) == ()
    assert len(await stores.predictions.events(living.id, 0)) == 1


async def test_passed_deadlines_are_found(stores: Stores) -> None:
    """Earliest first; those without one never."""
    await add(stores, 0)
    late = await add(stores, 1, deadline=NOW + timedelta(seconds=9))
    early = await add(stores, 2, deadline=NOW + timedelta(seconds=5))
    assert await stores.predictions.overdue(NOW, 9) == ()
    assert await stores.predictions.overdue(NOW + timedelta(seconds=9), 9) == (early.id, late.id)
    assert await stores.predictions.overdue(NOW + timedelta(seconds=9), 1) == (early.id,)


def _end(record: Record) -> Change:
    ended = msgspec.structs.replace(
        record.prediction,
        status=Status.SUCCEEDED,
        output="x",
        logs="said",
        completed_at=NOW + timedelta(hours=1),
    )
    return Change(prediction=ended, ticket=None)


async def test_what_is_created_with_a_key_is_created_once(stores: Stores) -> None:
    """The first is kept and told again; another account's key is another key; old ones are forgotten."""
    made = await add(stores)
    other = await stores.account("bob")

    def again(number: int, account_id: int, word: str = "w") -> tuple[Prediction, Once]:
        moment = NOW + timedelta(seconds=number)
        fresh = msgspec.structs.replace(
            made, id=new_id(moment, bytes(10)), stream_token=f"once-{number}", account_id=account_id
        )
        fresh = msgspec.structs.replace(fresh, created_at=moment)
        said = Once(account_id=account_id, key="k", fingerprint=word.encode(), prediction_id=fresh.id)
        return fresh, said

    first, said = again(1, made.account_id)
    assert await stores.predictions.once(made.account_id, "k") is None
    assert await stores.predictions.add_once(first, Ticket(deployable=V), said) == said
    second, other_said = again(2, made.account_id, "other")
    assert await stores.predictions.add_once(second, Ticket(deployable=V), other_said) == said
    assert await stores.predictions.get(second.id) is None
    assert await stores.predictions.once(made.account_id, "k") == said
    third, theirs = again(3, other.id)
    assert await stores.predictions.add_once(third, Ticket(deployable=V), theirs) == theirs
    assert await stores.predictions.waiting() == {V: 3}
    assert await stores.predictions.prune_once(NOW + timedelta(seconds=2)) == 1
    assert await stores.predictions.once(made.account_id, "k") is None
    assert await stores.predictions.once(other.id, "k") == theirs


async def test_a_place_counts_who_is_before(stores: Stores) -> None:
    """Of the same deployable, and waiting; who is taken has none."""
    first = await add(stores, 0)
    other = await add(stores, 1, version="b" * 64)
    second = await add(stores, 2)
    place = await stores.predictions.position(second.id)
    assert place is not None
    assert (place.position, place.deployable) == (2, V)
    await stores.predictions.take(V, _lease)
    assert await stores.predictions.position(first.id) is None
    for waiting in (second, other):
        place = await stores.predictions.position(waiting.id)
        assert place is not None
        assert place.position == 1


async def test_only_what_has_ended_is_erased(stores: Stores) -> None:
    """Whole, and once."""
    made = await add(stores)
    assert not await stores.predictions.erase(made.id, NOW)
    await stores.predictions.change(made.id, _end)
    assert await stores.predictions.erase(made.id, NOW)
    assert await stores.predictions.get(made.id) is None
    assert not await stores.predictions.erase(made.id, NOW)


async def test_what_was_made_since_a_moment_is_counted_by_account(stores: Stores) -> None:
    """The moment itself counts; whoever made nothing is not there."""
    for number in range(4):
        made = await add(stores, number)
    await stores.account("bob")
    assert await stores.predictions.asked_since(NOW + timedelta(seconds=2)) == {made.account_id: 2}
    assert await stores.predictions.asked_since(NOW + timedelta(seconds=9)) == {}
