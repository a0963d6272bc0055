"""Start a model server whose dead workers come back without growing pauses (see launch.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.integration.model_server.live import Server, serving

LAUNCH = Path(__file__).parent / "launch.py"


@contextmanager
def started(
    project: Path,
    ref: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    temporary: Path | None = None,
    ready: bool = True,
) -> Iterator[Server]:
    """Start a server over a project's predictor; end it whatever happens. `temporary` becomes its TMPDIR."""
    more = {**(env or {}), **({} if temporary is None else {"TMPDIR": str(temporary)})}
    launched = serving(project, ref, *arguments, env=more, ready=ready, program=(str(LAUNCH),))
    with launched as server:
        yield server
