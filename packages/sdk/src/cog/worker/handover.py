"""Let the first output of a prediction reach its reader before the model goes on."""

from __future__ import annotations

import os
import time

_yield = getattr(os, "sched_yield", None)


def hand_over() -> None:
    """Give the processor away for a moment (some 60 microseconds).

    A model that yields without a pause keeps its processor for a whole time slice, and where the others are busy the
    server, and then a client on the same machine, wait that long (3 ms) for the first output. A sleep lets the server
    come to an idle processor, a yield lets whoever waits for this one go first.
    """
    time.sleep(1e-6)
    if _yield is not None:
        _yield()
