"""Handovers in memory, and what every keeper of them promises."""
# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from cogyard.domain.retry import Seen
from cogyard.features.predictions.handovers import Handovers


@dataclass
class Ground:
    """What outlives a process: the noted leases, and whether anybody has begun to note any."""

    noted: set[str] = field(default_factory=set)
    begun: bool = False


@dataclass
class FakeHandovers:
    """One process's handovers over a ground that others may have used before. `full` lets no note be kept."""

    ground: Ground = field(default_factory=Ground)
    full: bool = False

    def note(self, lease_token: str) -> None:
        """Note a lease. Raises OSError while `full`."""
        if self.full:
            raise OSError(28, "No space left on device")
        self.ground.noted.add(lease_token)

    def drop(self, lease_token: str) -> None:
        """Forget a lease."""
        self.ground.noted.discard(lease_token)

    def seen(self, lease_token: str) -> Seen:
        """Return what is known of a lease."""
        if lease_token in self.ground.noted:
            return Seen.YES
        return Seen.NO if self.ground.begun else Seen.UNKNOWN

    def begin(self) -> None:
        """Forget what earlier processes noted."""
        self.ground.noted.clear()
        self.ground.begun = True


Next = Callable[[], Handovers]


class HandoversContract:
    """Run it with a fixture `process`: each call is the next process over one ground; the one before was killed."""

    def test_before_the_first_nothing_is_known(self, process: Next) -> None:
        """Nobody has noted anything here, so a model may have seen whatever was claimed."""
        assert process().seen("a") is Seen.UNKNOWN

    def test_what_was_not_noted_was_not_seen(self, process: Next) -> None:
        """Once begun, a claim that was not handed over is known not to have been."""
        now = process()
        now.begin()
        now.note("a")
        now.note("a")
        assert (now.seen("a"), now.seen("b")) == (Seen.YES, Seen.NO)

    def test_what_ended_is_forgotten(self, process: Next) -> None:
        """Also when it is said twice, or of a lease that nobody noted."""
        now = process()
        now.begin()
        now.note("a")
        now.drop("a")
        now.drop("a")
        now.drop("b")
        assert now.seen("a") is Seen.NO

    def test_the_next_process_knows(self, process: Next) -> None:
        """What was handed over when a process was killed, and what was not; until it begins by itself."""
        killed = process()
        killed.begin()
        for number in range(9):
            killed.note(f"a{number}")
        for number in range(0, 9, 2):
            killed.drop(f"a{number}")
        killed.note("b")
        following = process()
        assert [following.seen(f"a{number}") for number in range(9)] == [Seen.NO, Seen.YES] * 4 + [Seen.NO]
        assert (following.seen("b"), following.seen("c")) == (Seen.YES, Seen.NO)
        following.begin()
        assert following.seen("b") is Seen.NO

    def test_a_process_killed_before_it_began_changes_nothing(self, process: Next) -> None:
        """Looking is not enough to forget."""
        first = process()
        first.begin()
        first.note("a")
        assert process().seen("a") is Seen.YES
        assert process().seen("a") is Seen.YES

    @pytest.mark.parametrize("held", [1, 100, 5000])
    def test_any_number_may_be_held_at_once(self, process: Next, held: int) -> None:
        """However many predictions run."""
        now = process()
        now.begin()
        for turn in range(2):
            for number in range(held):
                now.note(f"{turn}-{number}")
            for number in range(1, held):
                now.drop(f"{turn}-{number}")
        following = process()
        found = [number for number in range(held) if following.seen(f"1-{number}") is Seen.YES]
        assert found == [0]
        assert following.seen("0-0") is Seen.YES
