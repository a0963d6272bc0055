"""What a model's words may come to: it must fill neither the disk nor the memory of who looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cogyard.domain.depth import MAX_DEPTH, MAX_VALUES, deeper_than, more_values_than
from cogyard.domain.stream import Item, output_item

# Characters of JSON of all outputs of one prediction; what is larger belongs into files.
OUTPUT_LIMIT = 32 * 1024 * 1024
# Characters of logs that are kept of one prediction.
LOG_LIMIT = 8 * 1024 * 1024
# Beyond so many characters of JSON writing takes long enough that everybody else would notice.
QUICK_LIMIT = 256 * 1024
LOG_CUT = f"\n[The logs end here: they are longer than {LOG_LIMIT} characters.]\n"

TOO_DEEP = f"The output is nested more than {MAX_DEPTH} levels deep."
TOO_MANY = f"The output has more than {MAX_VALUES} values; return large results as files."
TOO_LARGE = f"The output is larger than {OUTPUT_LIMIT} characters; return large results as files."


@dataclass
class Spoken:
    """What one run has said so far."""

    logs: int = 0
    outputs: int = 0
    problem: str | None = None
    """Why its outputs cannot be kept; then no more of them are."""

    @property
    def size(self) -> int:
        """How much that is, in characters."""
        return self.logs + self.outputs

    def take(self, outputs: Sequence[Any], logs: str) -> list[Item]:
        """Return what of new logs and outputs is kept, and count it."""
        kept = self._logs(logs)
        said = (self._output(value) for value in outputs)
        return [*([Item("logs", kept)] if kept else ()), *(item for item in said if item is not None)]

    def _logs(self, logs: str) -> str:
        left = LOG_LIMIT - self.logs
        self.logs += len(logs)
        if left < 0:
            return ""
        return logs if len(logs) <= left else logs[:left] + LOG_CUT

    def _output(self, value: Any) -> Item | None:
        if self.problem is None:
            self.problem = _unwalkable(value)
        if self.problem is not None:
            return None
        item = output_item(value)
        self.outputs += len(item.data)
        if self.outputs > OUTPUT_LIMIT:
            self.problem = TOO_LARGE
            return None
        return item


def problem_of(output: Any) -> str | None:
    """Say why a whole output cannot be kept; None when it can."""
    return weighed(output)[0]


def weighed(output: Any) -> tuple[str | None, int]:
    """Return why a whole output cannot be kept, None when it can; and how much it is, in characters of JSON."""
    if (problem := _unwalkable(output)) is not None:
        return problem, 0
    size = len(output) if isinstance(output, str) else 0
    if isinstance(output, dict | list):
        size = len(msgspec.json.encode(output))
    return (TOO_LARGE if size > OUTPUT_LIMIT else None), size


def _unwalkable(output: Any) -> str | None:
    if more_values_than(output):
        return TOO_MANY
    return TOO_DEEP if deeper_than(output) else None
