"""What is said about the examples."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.e2e.examples_more.project import EXAMPLES, ROOT

KEPT = subprocess.run(
    ["git", "ls-files", "examples"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split()
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/cog.yaml"))


def test_the_table_lists_every_example() -> None:
    """The page names all examples that there are, and no other."""
    page = (ROOT / "docs" / "how-to" / "examples.md").read_text("utf-8")
    assert (
        sorted(re.findall(r"^\| \[([a-z-]+)\]\(\.\./\.\./examples/\1/README\.md\)", page, re.MULTILINE))
        == NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_whole_project(name: str) -> None:
    """It pins every package, is for Python 3.11, explains itself, and keeps weights and outputs to itself."""
    folder = EXAMPLES / name
    written = (folder / "cog.yaml").read_text("utf-8")
    assert 'python_version: "3.11"' in written
    packages = re.findall(r"^    - (.+)$", written.partition("system_packages")[0], re.MULTILINE)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages), packages
    assert (folder / "README.md").read_text("utf-8").startswith(f"# {name}\n")
    assert "cog predict" in (folder / "README.md").read_text("utf-8")
    assert "output*" in (folder / ".dockerignore").read_text("utf-8")


@pytest.mark.skipif(not KEPT, reason="this is no git repository")
def test_nothing_large_is_kept() -> None:
    """No weights are committed, and no file over 100 kB."""
    assert [path for path in KEPT if "/weights/" in path] == []
    assert [path for path in KEPT if (ROOT / path).exists() and (ROOT / path).stat().st_size > 100_000] == []
