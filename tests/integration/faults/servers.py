"""Start a model server whose dead workers come back without growing pauses (see launch.py)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.integration.model_server.live import Server, end, wait_for_socket

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
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        uds, log = folder / "s", folder / "log"
        command = [sys.executable, str(LAUNCH), "--uds", str(uds), "--python", sys.executable]
        command += ["--project", str(project), "--ref", ref, *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(temporary or folder / "tmp"), **(env or {})},
            )
        transport = httpx2.HTTPTransport(uds=str(uds))
        with httpx2.Client(transport=transport, base_url="http://model", timeout=60) as client:
            server = Server(process, uds, folder, log, client)
            try:
                wait_for_socket(server)
                if ready:
                    server.wait_for("READY")
                yield server
            finally:
                end(process)
