"""`cog push`, before anything is built or sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from cogyard.cli.errors import MisuseError
from cogyard.cli.push import push


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("localhost:8000", "cog push localhost:8000/OWNER/NAME"),
        ("localhost", "cog push localhost/OWNER/NAME"),
        ("registry.example.com", "cog push registry.example.com/OWNER/NAME"),
        ("my-model", "cog push HOST/OWNER/my-model"),
        ("my-model:v2", "cog push HOST/OWNER/my-model:v2"),
    ],
)
def test_a_host_alone_and_a_name_alone_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    """They would be docker.io's own images; nobody is asked before that is said."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.13"}\npredict: p.py:predict\n')
    (tmp_path / "p.py").write_text("def predict(text: str) -> str: ...\n")
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(push, [name])
    assert isinstance(refused.exception, MisuseError)
    assert refused.exception.hint == f"Write: {hint}"
