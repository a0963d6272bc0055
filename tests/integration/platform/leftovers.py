"""What a platform's instances may leave on a machine: its own alone, each kind looked for where it would be."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docker import Docker

_LABEL = "run.cog.instance"


@contextmanager
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the platforms started inside the block keep temporary files in a folder of their own; its path is short."""
    with tempfile.TemporaryDirectory(prefix="ck-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def leftovers(platform: Any, temporary: Path, engine: Docker | None) -> dict[str, list[str]]:
    """List what there still is of a platform that was stopped; every list is to be empty."""
    mark = platform.data.mark
    return {
        "processes": [str(pid) for pid in platform.instances()],
        "containers": [] if engine is None else _containers(engine, mark),
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/cogyard/{mark}-*")],
        "mounts": _mounts(platform.data.root, temporary),
        "temporary files": [str(path) for path in temporary.iterdir()],
        "instance folders": [str(path) for path in platform.data.instances.glob("*")],
        "unfinished": [str(path) for path in platform.data.root.glob("*/unfinished-*")],
    }


def _containers(engine: Docker, mark: str) -> list[str]:
    listed = engine("ps", "--all", "--no-trunc", "--format", "{{json .}}", "--filter", f"label={_LABEL}")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    return [each["Names"] for each in found if f"{_LABEL}={mark}/" in each["Labels"]]


def _mounts(*folders: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if any(str(folder) in line for folder in folders)]
