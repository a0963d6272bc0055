"""A project with the model that dies, and servers over it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with the frail predictors."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "frail.py", folder)
    return folder
