"""What all workers of a test run have together, and no other run at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.sharing import TakenError, shared

PATIENCE = 20.0


class Maker:
    """Makes things and writes down what became of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def __call__(self) -> Iterator[str]:
        """Make one."""
        self.seen.append("made")
        yield "it"
        self.seen.append("ended")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Give a name of this test's own."""
    return f"cogyard-test-{os.getpid()}-{request.node.name}"


def test_a_run_s_workers_share_one_until_the_last_has_left(name: str) -> None:
    """It is made once, and who made it and is done first waits with its end for the others."""
    maker, other = Maker(), Maker()
    made, may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with shared(name, "run", maker, patience=PATIENCE):
            made.set()
            may_leave.wait(PATIENCE)

    thread = threading.Thread(target=first)
    thread.start()
    assert made.wait(PATIENCE)
    with shared(name, "run", other, patience=PATIENCE) as found:
        may_leave.set()
        thread.join(0.2)
        assert (found, maker.seen, other.seen) == ("it", ["made"], [])
    thread.join(PATIENCE)
    assert maker.seen == ["made", "ended"]


def test_another_run_waits_for_its_turn(name: str) -> None:
    """For as long as it may, and then it is told; once the first has left, it makes its own."""
    maker = Maker()
    with (
        shared(name, "one", Maker(), patience=PATIENCE),
        pytest.raises(TakenError),
        shared(name, "two", maker, patience=0),
    ):
        pass
    assert maker.seen == []
    with shared(name, "two", maker, patience=0) as found:
        assert found == "it"


def test_what_cannot_be_made_is_free_for_the_next(name: str) -> None:
    """A failure gives the name back."""

    @contextmanager
    def broken() -> Iterator[str]:
        if name:
            raise ValueError
        yield name

    for _ in range(2):
        with pytest.raises(ValueError), shared(name, "run", broken, patience=0):
            pass
