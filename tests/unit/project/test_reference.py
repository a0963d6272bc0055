"""The pages made from the table of keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cogyard.project import reference
from cogyard.project.keys import KEYS

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_and_the_schema_are_up_to_date() -> None:
    """What is committed is what the table gives; `scripts/docs.py` writes it."""
    assert (ROOT / "docs/reference/cog-yaml.md").read_text() == reference.page()
    assert (ROOT / "spec/cog-yaml.schema.json").read_text() == reference.schema_text()


def test_every_key_has_a_heading() -> None:
    """The page leaves no key out."""
    page = reference.page()
    assert all(f"\n## {key.path}\n" in page for key in KEYS)


def test_the_schema_knows_every_key() -> None:
    """An editor completes what the parser reads."""
    schema = json.loads(reference.schema_text())
    assert set(schema["properties"]["build"]["properties"]) == {
        key.name for key in KEYS if key.parent == "build"
    }
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("example", ["hello-world", "upscale", "chat"])
def test_the_examples_are_projects_without_a_problem(example: str) -> None:
    """Examples hold to what they teach."""
    from cogyard.project import load_project

    assert not load_project(ROOT / "examples" / example).warnings
