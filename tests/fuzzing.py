"""How many examples a property's test tries: as many as it names, or a share of them.

`COGYARD_EXAMPLES=50` makes it fifty times as many, for a long search; 0.1 a tenth, where the same rules only meet
another Python.
"""

from __future__ import annotations

import os

_SHARE = float(os.environ.get("COGYARD_EXAMPLES", "1"))
_FEWEST = 10


def examples(count: int) -> int:
    """Return how many of `count` examples to try."""
    return max(_FEWEST, round(count * _SHARE))
