"""docs/reference/cog-compatibility.md: a table of Cog's behaviours is worth what its proofs are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "cog-compatibility.md"
SECTIONS = [
    *(f"1.{n}" for n in range(3, 7)),
    "2",
    "2.3",
    *(f"3.{n}" for n in range(1, 6)),
    *(f"4.{n}" for n in range(1, 12)),
]
DEFECTS = "abcdefghijk"
VERDICTS = ("same", "better", "differs", "missing")


def rows() -> Iterator[tuple[str, list[str]]]:
    """Give (section, cells) of each row of the page's tables."""
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.split()[1]
        elif line.startswith("| ") and not line.startswith("| Cog |"):
            yield section, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


ROWS = list(rows())


def test_every_section_of_the_reference_has_rows() -> None:
    """No part of what Cog does on the model side is passed over, and each of its measured defects has a row."""
    assert {section for section, _ in ROWS} == set(SECTIONS)
    assert [cells[0][0] for section, cells in ROWS if section == "4.11"] == list(DEFECTS)


@pytest.mark.parametrize(("section", "cells"), ROWS, ids=[f"{s} {c[0][:40]}" for s, c in ROWS])
def test_what_is_claimed_names_its_proof(section: str, cells: list[str]) -> None:
    """A row says one of four words, and names tests that are there, unless it says that something is not there."""
    cog, ours, verdict, proof = cells
    assert cog
    assert ours
    assert verdict in VERDICTS
    named = re.findall(r"`([^`]+)::([^`]+)`", proof)
    assert named or verdict in ("missing", "differs")
    for path, name in named:
        source = (ROOT / path).read_text()
        assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"
