"""Schemathesis, unmodified, against the platform: it reads the document and sends what it can think of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.live import LivePlatform, run

pytestmark = [pytest.mark.xdist_group("platform"), pytest.mark.network, pytest.mark.slow]
TOOL = "schemathesis==4.32.5"
# What fits a schema may still name what is not there or not the caller's, which is a 422 of ours as well as a 404; so
# that all valid data be taken is not asked. Nothing else is left out.
LEFT_OUT = "positive_data_acceptance"
# Streams end when their prediction does, and the tool waits for ends. It must not end the token that it asks with.
SKIPPED = ("streams.get", "streams.files.get", "tokens.revoke")


def test_the_whole_api_answers_as_its_document_says(
    live_platform: LivePlatform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No server error, no status, header or body that is not documented, and nothing malformed is taken."""
    home: Path = tmp_path_factory.mktemp("schemathesis")
    python = home / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, home / "venv", cwd=home, env=live_platform.env)
    run("uv", "pip", "install", "--quiet", "--python", python, TOOL, cwd=home, env=live_platform.env)
    skipped = [part for name in SKIPPED for part in ("--exclude-operation-id", name)]
    done = run(
        *(python.with_name("schemathesis"), "run", f"{live_platform.address}/openapi.json"),
        *("--header", f"Authorization: Bearer {live_platform.token}"),
        *("--checks", "all", "--exclude-checks", LEFT_OUT, *skipped),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--workers", "2"),
        cwd=home,
        env=live_platform.env,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
