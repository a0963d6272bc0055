"""Projects for the model server's integration tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "contract" / "model_server" / "models"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with the misbehaving predictors."""
    shutil.copy(MODELS / "predict.py", tmp_path)
    shutil.copy(Path(__file__).parent / "asynchronous.py", tmp_path)
    return tmp_path
