"""uv as the one who is asked smaller questions about packages."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from cogyard.environment.asked import Asked
from cogyard.environment.compiling import NO_SOLUTION, compile_in
from cogyard.environment.conflict import Question
from cogyard.environment.errors import ResolvingFailedError
from cogyard.environment.reasons import canonical
from cogyard.environment.target import Target

#: Questions at once: nearly all of the time of each is waiting for the index.
_AT_ONCE = 8
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")


class UvOracle:
    """Ask with the indexes and constraints of `asked`, for its target's platform; each question once."""

    def __init__(self, asked: Asked, target: Target) -> None:
        self._asked, self._target = asked, target
        self._known: dict[Question, Mapping[str, str] | None] = {}

    def solve(
        self, lines: Sequence[str], python: str, *, alone: bool = False, lowest: bool = False
    ) -> Mapping[str, str] | None:
        """Return versions by name, or None when there is no solution. Raises ResolvingFailedError."""
        question = Question(lines=tuple(lines), python=python, alone=alone, lowest=lowest)
        if question not in self._known:
            self._known[question] = self._ask(lines, python, alone=alone, lowest=lowest)
        return self._known[question]

    def expect(self, questions: Iterable[Question]) -> None:
        """Ask questions that are not answered yet, several at once. Raises ResolvingFailedError."""
        new = [each for each in dict.fromkeys(questions) if each not in self._known]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = [
                pool.submit(self._ask, each.lines, each.python, alone=each.alone, lowest=each.lowest)
                for each in new
            ]
            for question, answer in zip(new, asked, strict=True):
                self._known[question] = answer.result()

    def _ask(
        self, lines: Sequence[str], python: str, *, alone: bool, lowest: bool
    ) -> Mapping[str, str] | None:
        asked = msgspec.structs.replace(self._asked, lines=tuple(lines), pyproject=None, wish=None)
        arguments = ["--no-annotate"]
        arguments += ["--no-deps"] if alone else []
        arguments += ["--resolution", "lowest"] if lowest else []
        target = msgspec.structs.replace(self._target, python=python)
        with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
            # An answer out of uv's cache is a true one and comes at once; that there is none must be asked.
            outcome = compile_in(Path(folder), asked, target, [*arguments, "--offline"])
            if outcome.status != 0:
                outcome = compile_in(Path(folder), asked, target, arguments)
        if outcome.status == 0:
            found = (_PINNED.match(line) for line in outcome.output.splitlines())
            return {canonical(one["name"]): one["version"] for one in found if one}
        if outcome.status == NO_SOLUTION:
            return None
        raise ResolvingFailedError("the packages could not be looked up:", details=outcome.messages)
