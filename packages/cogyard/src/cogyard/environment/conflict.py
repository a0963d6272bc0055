"""Say in one sentence why requirements do not fit, and the way out, by asking the resolver smaller questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cogyard.environment.reasons import canonical
from cogyard.project.keys import MINIMUM_PYTHON, NEWEST_PYTHON

#: Longer lists are not taken apart: each line costs a question, and uv's own lines say something too.
MOST_LINES = 15
_PYTHONS = tuple(f"3.{minor}" for minor in range(NEWEST_PYTHON[1], MINIMUM_PYTHON[1] - 1, -1))
_LINE = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>[^;]*?)\s*(?P<marker>;.*)?$"
)
_EXACT = re.compile(r"^===?\s*(?P<version>[^,*\s]+)$")


class Oracle(Protocol):
    """Answers whether requirements can be fulfilled."""

    def solve(
        self, lines: Sequence[str], python: str, *, alone: bool = False, lowest: bool = False
    ) -> Mapping[str, str] | None:
        """Return versions by name, or None when there is no solution.

        `alone` leaves out what the packages need themselves; `lowest` takes the oldest versions instead of the newest.
        """
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


def explain(lines: Sequence[str], python: str, oracle: Oracle) -> str | None:
    """Return the sentence for lines that have no solution on `python`; None when none is found."""
    read = [one for line in lines if (one := _read(line)) is not None]
    if not read or len(lines) > MOST_LINES:
        return None
    for one in read:
        if oracle.solve([one.text], python, alone=True) is None:
            return _alone(one, python, oracle)
    core = _core(read, python, oracle)
    if oracle.solve([one.text for one in core], python) is not None:
        return None  # what does not fit is a line that was not understood
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
    newest = oracle.solve([one.name], python, alone=True)
    fits = next(
        (each for each in _nearest(python) if oracle.solve([one.text], each, alone=True) is not None), None
    )
    if fits is None:
        if newest is None:
            return (
                f"No index has a package `{one.name}`, or none that lets you in: is it spelt right, "
                "and does the index want a user and password?"
            )
        return f"There is no {one.text}: the newest for Python {python} is {one.name}=={newest[one.key]}."
    sentence = f"{one.text} has no wheel for Python {python}: set python_version to {fits} in cog.yaml"
    later = (
        oracle.solve([f"{one.name}>{one.version}"], python, alone=True, lowest=True)
        if one.version
        else newest
    )
    return f"{sentence}, or write {one.name}=={later[one.key]}." if later else f"{sentence}."


def _by_itself(one: _Line, python: str, oracle: Oracle) -> str:
    """Explain a line whose own requirements cannot be fulfilled."""
    fits = next((each for each in _nearest(python) if oracle.solve([one.text], each) is not None), None)
    other = oracle.solve([one.relaxed], python) if one.version else None
    ways = [f"set python_version to {fits} in cog.yaml"] if fits else []
    ways += [f"write {one.name}=={other[one.key]}"] if other and one.key in other else []
    sentence = f"What {one.text} needs itself cannot be had on Python {python}"
    return f"{sentence}: {' or '.join(ways)}." if ways else f"{sentence}."


def _together(core: Sequence[_Line], python: str, oracle: Oracle) -> str:
    """Explain lines of which each fits and not all together: another version of one may do."""
    ways = []
    for one in core:
        rest = [other.text for other in core if other is not one]
        found = oracle.solve([*rest, one.relaxed], python)
        if found is not None and one.key in found:
            ways.append(f"{one.name}=={found[one.key]}")
    texts = [one.text for one in core]
    named = f"{', '.join(texts[:-1])} and {texts[-1]}"
    sentence = f"{named} do not go together on Python {python}"
    return f"{sentence}: write {' or '.join(ways)} instead." if ways else f"{sentence}."


def _core(lines: Sequence[_Line], python: str, oracle: Oracle) -> list[_Line]:
    """Return the fewest lines that still have no solution: each is left out once, for good if it does not matter."""
    core = list(lines)
    for one in lines:
        rest = [other for other in core if other is not one]
        if rest and oracle.solve([other.text for other in rest], python) is None:
            core = rest
    return core


def _nearest(python: str) -> list[str]:
    """Return the other Pythons, the nearest first, of two as near the newer."""
    minor = int(python.split(".")[1])
    others = [one for one in _PYTHONS if one != python]
    return sorted(others, key=lambda one: (abs(int(one.split(".")[1]) - minor), -int(one.split(".")[1])))
