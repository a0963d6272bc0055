"""One sentence about requirements that do not fit, against an index made of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cogyard.environment.conflict import MOST_LINES, Question, constrained, explain
from packaging.requirements import Requirement
from packaging.version import Version

# package -> version -> (Pythons it has wheels for, what it requires)
Index = Mapping[str, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]]
ALL = ("3.10", "3.11", "3.12", "3.13")
INDEX: Index = {
    "torch": {
        "1.13.1": (("3.10", "3.11"), ()),
        "2.2.0": (("3.10", "3.11", "3.12"), ()),
        "2.3.1": (("3.10", "3.11", "3.12"), ()),
        "2.4.0": (("3.10", "3.11", "3.12"), ()),
        "2.5.0": (ALL, ()),
    },
    "torchvision": {
        "0.18.1": (("3.12",), ("torch==2.3.1",)),
        "0.19.0": (("3.12",), ("torch==2.4.0",)),
    },
    "numba": {"0.1": (ALL, ("old==1",)), "0.2": (ALL, ())},
    "old": {"1": (("3.11",), ())},
    "six": {"1.16": (ALL, ())},
}


class FakeOracle:
    """Solves by trying: for each name the newest (or oldest) version that fits what is known; no way back."""

    def __init__(self) -> None:
        self.asked = 0
        self.expected: list[Question] = []

    def solve(
        self, lines: Sequence[str], python: str, *, alone: bool = False, lowest: bool = False
    ) -> Mapping[str, str] | None:
        """Return a solution of INDEX."""
        self.asked += 1
        return self._choose([Requirement(line) for line in lines], {}, python, alone=alone, lowest=lowest)

    def expect(self, questions: Iterable[Question]) -> None:
        """Pass over what is likely to be asked."""
        self.expected.extend(questions)

    def _choose(
        self, needs: list[Requirement], chosen: dict[str, str], python: str, *, alone: bool, lowest: bool
    ) -> dict[str, str] | None:
        if not needs:
            return chosen
        need, *rest = needs
        name = need.name.lower()
        known = (
            [chosen[name]] if name in chosen else sorted(INDEX.get(name, {}), key=Version, reverse=not lowest)
        )
        for version in known:
            pythons, requires = INDEX[name][version]
            if python not in pythons or not need.specifier.contains(version):
                continue
            more = [] if alone or name in chosen else [Requirement(one) for one in requires]
            found = self._choose(
                [*rest, *more], {**chosen, name: version}, python, alone=alone, lowest=lowest
            )
            if found is not None:
                return found
        return None


def said(*lines: str, python: str = "3.12") -> str | None:
    """Return the sentence."""
    return explain(lines, python, FakeOracle())


def test_a_release_without_wheels_for_this_python() -> None:
    """Both ways out: the Python it has wheels for, and the next release for this Python."""
    assert said("six", "torch==1.13.1") == (
        "torch==1.13.1 has no wheel for Python 3.12: set python_version to 3.11 in cog.yaml, or write torch==2.2.0."
    )
    assert said("torch==2.3.1", python="3.13") == (
        "torch==2.3.1 has no wheel for Python 3.13: set python_version to 3.12 in cog.yaml, or write torch==2.5.0."
    )


def test_a_release_that_is_none() -> None:
    """The newest that there is."""
    assert said("torch==9.9") == (
        "There is no torch==9.9 for any Python that Cogyard runs: the newest for Python 3.12 is torch==2.5.0."
    )
    assert said("torch>=3; python_version > '3'") == (
        "There is no torch>=3; python_version > '3' for any Python that Cogyard runs: "
        "the newest for Python 3.12 is torch==2.5.0."
    )


def test_a_name_that_is_none() -> None:
    """Not a word about versions."""
    assert said("toorch") == (
        "No index has a package `toorch`, or none that lets you in: is it spelt right, "
        "and does the index want a user and password?"
    )


def test_two_that_do_not_go_together() -> None:
    """Only the two are named, and for each the version that goes with the other."""
    assert said("six", "torch==2.4.0", "torchvision==0.18.1") == (
        "torch==2.4.0 and torchvision==0.18.1 do not go together on Python 3.12: "
        "write torch==2.3.1 or torchvision==0.19.0 instead."
    )


def test_one_whose_own_needs_cannot_be_had() -> None:
    """Another Python, or another release of it."""
    assert said("six", "numba==0.1") == (
        "What numba==0.1 needs itself cannot be had on Python 3.12: set python_version to 3.11 in cog.yaml or "
        "write numba==0.2."
    )


def test_nothing_is_said_about_what_is_not_understood() -> None:
    """A wheel's address is no line to take apart, and long lists cost too many questions."""
    oracle = FakeOracle()
    assert explain(["a @ https://x.example/a.whl"], "3.12", oracle) is None
    assert explain(["six"] * (MOST_LINES + 1), "3.12", oracle) is None
    assert oracle.asked == 0
    assert said("six") is None


def test_what_is_suspected_is_asked_about_first() -> None:
    """A few questions instead of some for each line; they are expected together, since each is mostly waiting."""
    lines = ["six", "torch==2.4.0", "torchvision==0.18.1", *[f"six!=9.{number}" for number in range(8)]]
    plain, suspecting = FakeOracle(), FakeOracle()
    words = "Because torchvision==0.18.1 depends on torch==2.3.1 and you require torch==2.4.0"
    sentence = explain(lines, "3.12", plain)
    assert explain(lines, "3.12", suspecting, words) == sentence
    assert sentence is not None
    assert sentence.startswith("torch==2.4.0 and torchvision==0.18.1 do not go together")
    assert suspecting.asked <= 8 < plain.asked
    assert {each.lines for each in suspecting.expected} >= {
        ("torch==2.4.0", "torchvision==0.18.1"), ("torchvision==0.18.1", "torch"), ("torch==2.4.0", "torchvision"),
    }  # fmt: skip


def test_a_wrong_suspicion_is_not_believed() -> None:
    """Lines that go together are not said not to, whatever the words; then all are asked about."""
    lines = ["six", "old==1", "torch==2.4.0", "torchvision==0.18.1"]
    assert explain(lines, "3.11", FakeOracle(), "six and old") == explain(lines, "3.11", FakeOracle())
    assert explain(
        ["torch==2.4.0", "torchvision==0.18.1"], "3.12", FakeOracle(), "torch-x and torch.y"
    ) == said("torch==2.4.0", "torchvision==0.18.1")
    assert explain(["six", "numba"], "3.12", FakeOracle(), "six numba") is None


class Constrained(FakeOracle):
    """Knows of constraints: each a package that solutions may have in these versions only."""

    def __init__(self, *constraints: str) -> None:
        super().__init__()
        self._constraints = constraints

    def solve(
        self, lines: Sequence[str], python: str, *, alone: bool = False, lowest: bool = False
    ) -> Mapping[str, str] | None:
        """Return a solution of INDEX that keeps them."""
        return super().solve([*self._constraints, *lines], python, alone=alone, lowest=lowest)


def test_a_constraint_that_leaves_no_version_is_named_and_no_version_is_denied() -> None:
    """A version that exists is not said to be missing because the project's own constraint forbids it."""
    constraints = ("torch<2.3", "six<2")
    oracle, free = Constrained(*constraints), FakeOracle()
    said = constrained(
        ["torch==2.3.1"], constraints, "3.12", oracle=oracle, free=free, words="you require torch<2.3"
    )
    assert said == (
        "What is asked for goes together on Python 3.12 but for the constraint torch<2.3: "
        "without it there is torch==2.3.1."
    )
    assert constrained(["torch==2.3.1"], (), "3.12", oracle=free, free=free) is None
    assert constrained(["torch==9"], constraints, "3.12", oracle=oracle, free=free) is None


def test_constraints_are_not_to_blame_for_a_line_that_nobody_reads() -> None:
    """Where a wheel of the project is what does not fit, no constraint is named."""
    lines, constraints = ["./mine-1-py3-none-any.whl", "torch==2.3.1"], ("six<2",)
    assert (
        constrained(lines, constraints, "3.12", oracle=Constrained(*constraints), free=FakeOracle()) is None
    )
