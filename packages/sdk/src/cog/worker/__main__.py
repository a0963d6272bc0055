"""`python -m cog.worker --fd N --ref predict.py:Predictor [--mode predict|train] [--train-ref F]`."""

from __future__ import annotations

import sys


def _split_path() -> str:
    """Take the project folder off `sys.path` while our own modules load, so that its json.py is not ours; return it."""
    import os

    project = os.getcwd()
    sys.path[:] = [entry for entry in sys.path if entry not in {"", project}]
    return project


if __name__ == "__main__":
    _project = _split_path()
    from cog.worker.run import main

    sys.exit(main(sys.argv[1:], _project))
