"""What every audit store keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cogyard.features.audit.ports import AuditStore, Entry, Wanted
from cogyard.store.audit import SqlAudit
from cogyard.testing.audit import FakeAudit
from cogyard.testing.database import open_database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["fake", "sql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuditStore]:
    """Give each store in turn."""
    if request.param == "fake":
        yield FakeAudit()
        return
    with open_database(tmp_path / "cogyard.db") as database:
        yield SqlAudit(database)


def entry(action: str, *, actor: str = "ada", hours: float = 0, subject: str = "") -> Entry:
    """Make an entry that is so many hours after NOW."""
    return Entry(
        at=NOW + timedelta(hours=hours),
        actor=actor,
        via="token",
        action=action,
        subject=subject,
        client="::1",
    )


async def test_entries_come_back_as_they_were_newest_first(store: AuditStore) -> None:
    """All fields, whatever is in them."""
    first = entry("models.create", subject="ada/ü'\"\n")
    second = replace(entry("models.delete", hours=1), refused=403)
    await store.add(first)
    await store.add(second)
    assert await store.entries(Wanted()) == (second, first)
    assert await store.entries(Wanted(limit=1)) == (second,)


async def test_entries_are_found_by_actor_action_and_time(store: AuditStore) -> None:
    """An action's beginning finds all below it, and a name is found whatever its case."""
    for one in (
        entry("models.create"),
        entry("models.create", actor="bob", hours=1),
        entry("modelsx.create", hours=2),
        entry("signout", hours=3),
    ):
        await store.add(one)
    assert [one.actor for one in await store.entries(Wanted(action="models"))] == ["bob", "ada"]
    assert len(await store.entries(Wanted(action="models.create"))) == 2
    assert await store.entries(Wanted(action="models.c")) == ()
    assert len(await store.entries(Wanted(actor="ADA"))) == 3
    assert len(await store.entries(Wanted(since=NOW + timedelta(hours=2)))) == 2
    assert len(await store.entries(Wanted(actor="ada", action="signout"))) == 1
    assert await store.entries(Wanted(action="%")) == ()


async def test_what_is_old_is_forgotten(store: AuditStore) -> None:
    """And nothing else."""
    for hours in range(4):
        await store.add(entry("x", hours=hours))
    assert await store.prune(NOW + timedelta(hours=2)) == 2
    assert await store.prune(NOW + timedelta(hours=2)) == 0
    assert len(await store.entries(Wanted())) == 2
