"""The reference page: its code runs, and it names everything there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cog
import pytest
from cog import Coder
from cog.schema import read_object

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "sdk.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", 1)[0])
def test_every_code_block_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of the page can be pasted into a file, and its predictors have a schema."""
    monkeypatch.setattr(Coder, "factories", [])
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "page", "exec", dont_inherit=True), names)  # noqa: S102 - our own page
    predictors = [value for value in names.values() if hasattr(value, "predict")]
    for predictor in predictors:
        assert read_object(predictor).function == "predict"


def test_every_export_is_named() -> None:
    """No name of the package is without a word in the reference."""
    missing = [name for name in cog.__all__ if name != "__version__" and not re.search(rf"\b{name}\b", PAGE)]
    assert missing == []


def test_every_argument_of_input_has_a_row() -> None:
    """Each thing that can be said of an input is explained."""
    rows = {
        name
        for line in re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", line)
    }
    assert set(cog.FieldInfo.NAMES) <= rows
