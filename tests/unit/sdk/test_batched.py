"""What an author may say with `@batched`, and what is refused when the model is built."""

from __future__ import annotations

from pathlib import Path

import cog
import pytest
from cog.errors import SchemaError
from cog.schema import read_object, read_source
from cog.schema import types as t


def refused(tmp_path: Path, signature: str) -> str:
    """Return why both readers refuse a batched predictor."""
    source = f"import cog\nfrom typing import *\n\n@cog.batched(max_size=4)\ndef predict({signature}:\n    return []\n"
    (tmp_path / "predict.py").write_text(source)
    with pytest.raises(SchemaError) as static:
        read_source(tmp_path, "predict.py:predict")
    space: dict[str, object] = {}
    exec(compile(source, str(tmp_path / "predict.py"), "exec"), space)  # noqa: S102 - the test's own text
    with pytest.raises(SchemaError) as loaded:
        read_object(space["predict"])
    assert str(static.value).rpartition(": ")[2] == str(loaded.value).rpartition(": ")[2]
    return str(static.value)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("a: str) -> list[str]", "takes and returns lists"),
        ("a: Optional[list[str]]) -> list[str]", "takes and returns lists"),
        ("a: list[str]) -> str", "takes and returns lists"),
        ("a: list[str]) -> Iterator[str]", "takes and returns lists"),
        ("a: list[str]) -> list[Iterator[str]]", "an iterator"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, signature: str, reason: str) -> None:
    """Both readers say the same, before anything runs."""
    assert reason in refused(tmp_path, signature)


def test_a_sum_of_traits() -> None:
    """@batched and @concurrent go together on `async def`."""

    @cog.batched(max_size=2)
    @cog.concurrent(max=3)
    async def predict(a: list[int]) -> list[int]:
        return a

    signature = read_object(predict)
    assert (signature.traits.batched, signature.traits.concurrency, signature.output) == (
        True,
        3,
        t.INTEGER,
    )


@pytest.mark.parametrize(("size", "wait"), [(0, 0.1), (1, -1.0), (1, float("nan")), (1, 61.0)])
def test_impossible_sizes_and_waits_are_refused(size: int, wait: float) -> None:
    """The decorator says so where it stands."""
    with pytest.raises(ValueError, match="@batched"):
        cog.batched(max_size=size, max_wait=wait)
