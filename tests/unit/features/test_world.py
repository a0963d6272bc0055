"""Chance, fetched many bytes at a time: nobody gets what another had."""

from __future__ import annotations

import os
from collections.abc import Callable

from cogyard.features.world import Randomness


def _counting(asked: list[int]) -> Callable[[int], bytes]:
    numbers = iter(range(1 << 30))

    def fetch(count: int) -> bytes:
        asked.append(count)
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(count // 4))

    return fetch


def test_no_byte_is_given_twice() -> None:
    """Whatever was asked before, and however little was left; the system is asked now and then."""
    asked: list[int] = []
    chance = Randomness(_counting(asked))
    given = [chance.take(20) for _ in range(100)]
    assert all(len(each) == 20 for each in given)
    numbers = [each[start : start + 4] for each in given for start in range(0, 20, 4)]
    assert len({*numbers}) == len(numbers)
    assert len(asked) < 6


def test_much_is_the_systems_own() -> None:
    """What is longer than the store is fetched by itself, and leaves the store as it is."""
    asked: list[int] = []
    chance = Randomness(_counting(asked))
    assert len(chance.take(4096)) == 4096
    assert asked == [4096]
    assert chance.take(0) == b""


def test_a_forked_process_has_its_own() -> None:
    """It would else give what its parent gives."""
    chance = Randomness()
    chance.take(8)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, chance.take(20))
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = os.read(reading, 20), chance.take(20)
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 20
    assert theirs != ours
