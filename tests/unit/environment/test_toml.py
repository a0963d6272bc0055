"""Locks as TOML."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from cogyard.environment.toml import dumps
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.one_of(st.sampled_from(["name", "version", "a-b", "with space", 'q"', "ö", ""]), TEXTS)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**60), 2**60))
FLAT = st.dictionaries(NAMES, st.one_of(SCALARS, st.lists(TEXTS, max_size=3)), min_size=1, max_size=4)
PACKAGE = st.fixed_dictionaries(
    {"name": TEXTS, "version": TEXTS},
    optional={"wheels": st.lists(FLAT, max_size=3), "tool": FLAT, "vcs": FLAT},
)
DOCUMENT = st.dictionaries(
    NAMES, st.one_of(SCALARS, st.lists(PACKAGE, min_size=1, max_size=3), FLAT), min_size=1, max_size=4
)


@given(document=DOCUMENT)
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    """Any texts as names and values come back as they were."""
    assert tomllib.loads(dumps(document)) == document


def test_it_is_laid_out_for_people() -> None:
    """A section for each package, a line for each file and each reason."""
    document = {
        "lock-version": "1.0",
        "packages": [
            {
                "name": "a",
                "wheels": [{"url": "https://x.example/a.whl", "size": 3}],
                "tool": {"cogyard": {"because": ["one", "two"]}},
            }
        ],
        "tool": {"cogyard": {"format": 1, "asked": {"gpu": True}}},
    }
    assert (
        dumps(document)
        == """\
lock-version = "1.0"

[[packages]]
name = "a"
wheels = [
  { url = "https://x.example/a.whl", size = 3 },
]
tool.cogyard.because = [
  "one",
  "two",
]

[tool.cogyard]
format = 1

[tool.cogyard.asked]
gpu = true
"""
    )


def test_what_toml_has_no_place_for_is_refused() -> None:
    """Nothing is written as something else."""
    with pytest.raises(TypeError):
        dumps({"a": None})
