"""What a model's callers read in place of this machine's folders: the places that an image would have. Pure.

Without isolation a model runs in folders of the operator's, and every traceback names them. Who reads logs and errors
is to learn neither the operator's paths nor anything that differs from the other runtimes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_STEP = r"[^/\s]+"
#: After a folder's name: neither more of the name, nor an ending.
_END = r"(?![\w-]|\.\w)"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of this machine, each with what it is called; one step of a path may be `*`, for any name."""

    pairs: tuple[tuple[str, str], ...] = ()
    _found: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Order them: what lies deeper goes first."""
        deepest = sorted({*self.pairs}, key=lambda pair: (-len(pair[0]), pair))
        object.__setattr__(self, "pairs", tuple(deepest))
        object.__setattr__(
            self, "_found", re.compile("|".join(_groups(real for real, _ in deepest)) or r"(?!)")
        )

    def told(self, text: str) -> str:
        """Return a text with the folders called as they are to be; any other text as it is."""
        # Logs are long and mostly name no folder: this is a search for a few words, and no more.
        if not any(real.partition("*")[0] in text for real, _ in self.pairs):
            return text
        return self._found.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        return self.pairs[(match.lastindex or 1) - 1][1]


def _groups(folders: Iterable[str]) -> Iterable[str]:
    for folder in folders:
        pattern = re.escape(folder).replace(re.escape("*"), _STEP)
        yield f"({pattern}){_END}"
