"""Run the model server as `python -m cog_server` does, but start dead workers again without growing pauses.

The pauses have tests of their own (tests/unit/model_server/test_small.py); with them a soak would mostly wait.
"""

from __future__ import annotations

import sys

from cog_server.__main__ import main
from cog_server.workers import supervisor

supervisor.STABLE_SECONDS = 0.0  # type: ignore[attr-defined]

if __name__ == "__main__":
    sys.exit(main())
