"""Texts as vectors."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tests.e2e.examples_more.project import EXAMPLES, Example

pytestmark = [pytest.mark.slow, pytest.mark.network]


def near(one: list[float], other: list[float]) -> float:
    """Return the cosine of two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_texts_that_mean_the_like_are_near(example: Callable[[str], Example]) -> None:
    """The two sentences about a cat are near each other and far from the one about a bank; all are 1 long."""
    answer = example("embed").answer("--json", "@input.json")
    cat, kitten, bank = answer["output"]
    assert [len(vector) for vector in (cat, kitten, bank)] == [384] * 3
    assert near(cat, kitten) > 0.5
    assert max(near(cat, bank), near(kitten, bank)) < 0.2
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in (cat, kitten, bank))


def test_a_text_has_one_vector_whatever_is_beside_it(example: Callable[[str], Example]) -> None:
    """Forty texts of all lengths, an empty one among them: in order, and padding changes nothing."""
    texts = ["", "tea", *(" ".join(["green tea and a cake"] * count) for count in range(1, 38)), "tea"]
    given = [argument for text in texts for argument in ("-i", f"texts={text}")]
    embed = example("embed")
    vectors = embed.answer(*given, "-i", "normalize=false")
    alone = embed.answer("-i", "texts=tea", "-i", "normalize=false")[0]
    assert len(vectors) == len(texts) == 40
    for vector in (vectors[1], vectors[-1]):
        assert near(vector, alone) > 0.999999
        assert math.isclose(math.hypot(*vector), math.hypot(*alone), rel_tol=1e-5)
    assert near(vectors[20], alone) < 0.95


def test_the_network_is_the_same_where_it_is_used_twice() -> None:
    """The examples embed and batch have a copy each of the network and of what to fetch for it."""
    for name in ("bert.py", "weights.json"):
        assert (EXAMPLES / "embed" / name).read_bytes() == (EXAMPLES / "batch" / name).read_bytes()
