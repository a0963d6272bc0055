"""`cog lock`, before anything is resolved, and what it says of names that are not there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from cogyard.cli.console import Console
from cogyard.cli.errors import MisuseError
from cogyard.cli.lock import lock, tell_of_unknown


def test_an_unknown_platform_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even cog.yaml is read; the platforms there are and the near one are named."""
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(lock, ["--platform", "linux/arm"])
    assert isinstance(refused.exception, MisuseError)
    assert "linux/amd64, linux/arm64" in refused.exception.message
    assert refused.exception.hint == "Did you mean `linux/arm64`?"


def test_a_package_to_upgrade_that_the_model_lacks_is_told() -> None:
    """A misspelt name is answered with the near one; a right one, however written, with nothing."""
    said = io.StringIO()
    tell_of_unknown(["Pillow", "nunpy"], ["numpy", "pillow"], Console(said))
    assert "`nunpy` is not among the model's packages" in said.getvalue()
    assert "Did you mean `numpy`?" in said.getvalue()
    assert "illow" not in said.getvalue()
