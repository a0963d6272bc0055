"""`cog schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cogyard.cli.schema import schema
from cogyard.project import reference


def test_the_schema_of_cog_yaml_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor is set up before there is a model."""
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(schema, ["--config"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == reference.schema()
