"""A project that runs as processes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from cogyard.cli.console import Console
from cogyard.cli.local import FoundProject
from cogyard.cli.running import Wish


@pytest.mark.parametrize(("gpus", "told"), [(None, False), ("all", True), ("0", True)])
def test_gpus_are_for_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: str | None, told: bool
) -> None:
    """Whoever names GPUs hears that processes see them all, and what chooses among them."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.13"}\npredict: p.py:predict\n')
    (tmp_path / "p.py").write_text("def predict(text: str) -> str: ...\n")
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    FoundProject.read(Wish(gpus=gpus, scratch=tmp_path), Console(said))
    assert ("--gpus says nothing to processes" in said.getvalue()) == told
    assert ("CUDA_VISIBLE_DEVICES" in said.getvalue()) == told
