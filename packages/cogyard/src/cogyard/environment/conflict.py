"""Say in one sentence why requirements do not fit, and the way out, by asking the resolver smaller questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cogyard.environment.reasons import canonical
from cogyard.project.keys import MINIMUM_PYTHON, NEWEST_PYTHON

#: Longer lists are not taken apart: each line costs a question, and uv's own lines say something too.
MOST_LINES = 15
_PYTHONS = tuple(f"3.{minor}" for minor in range(NEWEST_PYTHON[1], MINIMUM_PYTHON[1] - 1, -1))
#: Other Pythons that are asked about together; mostly the nearest two tell.
_SOON = 2
#: So few lines are probably all at odds.
_FEW = 3
_LINE = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>[^;]*?)\s*(?P<marker>;.*)?$"
)
_EXACT = re.compile(r"^===?\s*(?P<version>[^,*\s]+)$")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What `Oracle.solve` is asked."""

    lines: tuple[str, ...]
    python: str
    alone: bool = False
    lowest: bool = False


class Oracle(Protocol):
    """Answers whether requirements can be fulfilled."""

    def solve(
        self, lines: Sequence[str], python: str, *, alone: bool = False, lowest: bool = False
    ) -> Mapping[str, str] | None:
        """Return versions by name, or None when there is no solution.

        `alone` leaves out what the packages need themselves; `lowest` takes the oldest versions instead of the newest.
        """
        ...

    def expect(self, questions: Iterable[Question]) -> None:
        """Hear which questions are likely to come, and ask them together: each is waiting more than work."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Line:
    text: str
    name: str
    relaxed: str
    version: str | None

    @property
    def key(self) -> str:
        return canonical(self.name)


def explain(lines: Sequence[str], python: str, oracle: Oracle, words: str = "") -> str | None:
    """Return the sentence for lines that have no solution on `python`; None when none is found.

    `words` are what was said of them: lines whose names are in it are suspected, and asked about first. Nothing is
    believed of it.
    """
    read = [one for line in lines if (one := _read(line)) is not None]
    if not read or len(lines) > MOST_LINES:
        return None
    suspects = [one for one in read if _names(words, one)]
    if 0 < len(suspects) < len(read):
        questions = [Question(lines=(one.text,), python=python, alone=True) for one in suspects]
        if len(suspects) > 1:  # one alone has mostly no wheel, and then nothing else is asked of it
            questions.append(Question(lines=tuple(one.text for one in suspects), python=python))
            questions += [Question(lines=each, python=python) for each in _relaxed(suspects).values()]
        oracle.expect(questions)
        if (sentence := _explained(suspects, python, oracle)) is not None:
            return sentence
    return _explained(read, python, oracle)


def constrained(
    lines: Sequence[str],
    constraints: Sequence[str],
    python: str,
    *,
    oracle: Oracle,
    free: Oracle,
    words: str = "",
) -> str | None:
    """Return the sentence for lines that have a solution but for constraints; None where it is not for these.

    `free` answers without them; of several, those are named whose names are in `words`.
    """
    asked = [one.text for line in lines if (one := _read(line)) is not None]
    found = free.solve(asked, python) if constraints and asked else None
    if found is None or oracle.solve(asked, python) is not None:
        return None
    read = [one for line in constraints if (one := _read(line)) is not None]
    named = [one for one in read if _names(words, one)] or read
    ways = [f"{one.name}=={found[one.key]}" for one in named if one.key in found]
    told = ", ".join(one.text for one in named) or "of the project"
    sentence = (
        f"What is asked for goes together on Python {python} but for the constraint"
        f"{'s' if len(named) > 1 else ''} {told}"
    )
    return (
        f"{sentence}: without {'them' if len(named) > 1 else 'it'} there is {', '.join(ways)}."
        if ways
        else f"{sentence}."
    )


def _explained(read: Sequence[_Line], python: str, oracle: Oracle) -> str | None:
    oracle.expect(Question(lines=(one.text,), python=python, alone=True) for one in read)
    for one in read:
        if oracle.solve([one.text], python, alone=True) is None:
            return _alone(one, python, oracle)
    if oracle.solve([one.text for one in read], python) is not None:
        return None  # what does not fit is a line that was not suspected, or not understood
    core = _core(read, python, oracle)
    if len(core) == 1:
        return _by_itself(core[0], python, oracle)
    return _together(core, python, oracle)


def _read(line: str) -> _Line | None:
    found = _LINE.match(line.partition(" --hash")[0].strip())
    if found is None or found["rest"].startswith("@") or "://" in line:
        return None
    exact = _EXACT.match(found["rest"])
    return _Line(
        text=line,
        name=found["name"],
        relaxed=f"{found['name']}{found['extras'] or ''} {found['marker'] or ''}".strip(),
        version=exact["version"] if exact else None,
    )


def _alone(one: _Line, python: str, oracle: Oracle) -> str:
    """Explain a line that no index has for this Python."""
    oracle.expect(
        [
            Question(lines=(one.name,), python=python, alone=True),
            *(Question(lines=(one.text,), python=each, alone=True) for each in _nearest(python)[:_SOON]),
        ]
    )
    newest = oracle.solve([one.name], python, alone=True)
    fits = _first_fit(one, python, oracle, alone=True)
    if fits is None:
        if newest is None:
            return (
                f"No index has a package `{one.name}`, or none that lets you in: is it spelt right, "
                "and does the index want a user and password?"
            )
        return (
            f"There is no {one.text} for any Python that Cogyard runs: "
            f"the newest for Python {python} is {one.name}=={newest[one.key]}."
        )
    sentence = f"{one.text} has no wheel for Python {python}: set python_version to {fits} in cog.yaml"
    later = (
        oracle.solve([f"{one.name}>{one.version}"], python, alone=True, lowest=True)
        if one.version
        else newest
    )
    return f"{sentence}, or write {one.name}=={later[one.key]}." if later else f"{sentence}."


def _first_fit(one: _Line, python: str, oracle: Oracle, *, alone: bool = False) -> str | None:
    """Return the nearest Python that a line can be had for; the first have been expected."""
    others = _nearest(python)
    for count, each in enumerate(others):
        if count == _SOON:
            oracle.expect(Question(lines=(one.text,), python=other, alone=alone) for other in others[count:])
        if oracle.solve([one.text], each, alone=alone) is not None:
            return each
    return None


def _by_itself(one: _Line, python: str, oracle: Oracle) -> str:
    """Explain a line whose own requirements cannot be fulfilled."""
    oracle.expect(
        [
            Question(lines=(one.relaxed,), python=python),
            *(Question(lines=(one.text,), python=each) for each in _nearest(python)[:_SOON]),
        ]
    )
    fits = _first_fit(one, python, oracle)
    other = oracle.solve([one.relaxed], python) if one.version else None
    ways = [f"set python_version to {fits} in cog.yaml"] if fits else []
    ways += [f"write {one.name}=={other[one.key]}"] if other and one.key in other else []
    sentence = f"What {one.text} needs itself cannot be had on Python {python}"
    return f"{sentence}: {' or '.join(ways)}." if ways else f"{sentence}."


def _together(core: Sequence[_Line], python: str, oracle: Oracle) -> str:
    """Explain lines of which each fits and not all together: another version of one may do."""
    ways = []
    asked = _relaxed(core)
    oracle.expect(Question(lines=each, python=python) for each in asked.values())
    for one in core:
        found = oracle.solve(asked[one.key], python)
        if found is not None and one.key in found:
            ways.append(f"{one.name}=={found[one.key]}")
    texts = [one.text for one in core]
    named = f"{', '.join(texts[:-1])} and {texts[-1]}"
    sentence = f"{named} do not go together on Python {python}"
    return f"{sentence}: write {' or '.join(ways)} instead." if ways else f"{sentence}."


def _core(lines: Sequence[_Line], python: str, oracle: Oracle) -> list[_Line]:
    """Return the fewest lines that still have no solution.

    Lines without which all the others go together are in every such choice; mostly they are all of it. Else each line
    is left out once, for good if that does not matter.
    """
    if len(lines) == 1:
        return list(lines)
    needed = []
    if len(lines) <= _FEW:
        # What goes together with another version of a line goes together without it; and that is asked anyway.
        needed = [one for one in lines if oracle.solve(_relaxed(lines)[one.key], python) is not None]
    unclear = [one for one in lines if one not in needed]
    oracle.expect(_without_each(lines, unclear, python))
    needed += [one for one in unclear if oracle.solve(_texts(lines, one), python) is not None]
    needed = [one for one in lines if one in needed]
    if len(needed) == len(lines):
        return needed
    if needed and oracle.solve([one.text for one in needed], python) is None:
        return needed
    core, waiting = list(lines), [one for one in lines if one not in needed]
    while waiting:
        one = waiting.pop(0)
        rest = [other for other in core if other is not one]
        if rest and oracle.solve([other.text for other in rest], python) is None:
            core = rest
            oracle.expect(_without_each(core, waiting, python))
    return core


def _relaxed(lines: Sequence[_Line]) -> Mapping[str, tuple[str, ...]]:
    """Return for each line all the others with it in any version."""
    return {one.key: (*_texts(lines, one), one.relaxed) for one in lines}


def _names(words: str, one: _Line) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(one.key)}(?![\w-])", words.lower()) is not None


def _texts(lines: Sequence[_Line], without: _Line) -> list[str]:
    return [each.text for each in lines if each is not without]


def _without_each(lines: Sequence[_Line], each: Iterable[_Line], python: str) -> list[Question]:
    """Return the questions whether lines go together without one of them."""
    return [Question(lines=tuple(_texts(lines, one)), python=python) for one in each if len(lines) > 1]


def _nearest(python: str) -> list[str]:
    """Return the other Pythons, the nearest first, of two as near the newer."""
    minor = int(python.split(".")[1])
    others = [one for one in _PYTHONS if one != python]
    return sorted(others, key=lambda one: (abs(int(one.split(".")[1]) - minor), -int(one.split(".")[1])))
