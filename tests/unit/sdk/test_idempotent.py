"""What `@idempotent` says of a predictor, and where a platform reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cog
from cog.schema import openapi, read_object, read_source

SOURCE = """
import cog
from cog import idempotent as repeatable

class Predictor(cog.BasePredictor):
    @cog.concurrent(max=1)
    @repeatable
    def predict(self, n: int = 2) -> int:
        return n

@cog.idempotent
def train(n: int = 2) -> cog.Path:
    return cog.Path("weights")

def once(n: int = 2) -> int:
    return n
"""

Marked = tuple[bool | None, bool | None]


def marked(document: dict[str, Any]) -> Marked:
    """Return what a document says of predictions and of trainings; None where it does not say."""
    paths = document["paths"]
    return tuple(
        paths.get(f"/{kind}", {}).get("post", {}).get("x-cog-idempotent")
        for kind in ("predictions", "trainings")
    )


def both(folder: Path, predict: str, train: str | None) -> Marked:
    """Return what both readers find, which has to be the same."""
    (folder / "predict.py").write_text(SOURCE)
    space: dict[str, Any] = {}
    exec(compile(SOURCE, str(folder / "predict.py"), "exec"), space)  # noqa: S102 - the test's own text
    static = openapi(
        read_source(folder, f"predict.py:{predict}"),
        None if train is None else read_source(folder, f"predict.py:{train}", train=True),
    )
    loaded = openapi(
        read_object(space[predict]), None if train is None else read_object(space[train], train=True)
    )
    assert static == loaded
    return marked(static)


def test_what_an_author_declares_is_in_the_schema(tmp_path: Path) -> None:
    """Under any name and beside other decorators, for predictions and for trainings each by itself."""
    assert both(tmp_path, "Predictor", "train") == (True, True)
    assert both(tmp_path, "once", "train") == (None, True)
    assert both(tmp_path, "Predictor", None) == (True, None)


def test_nothing_is_idempotent_by_itself(tmp_path: Path) -> None:
    """What no author has declared is not declared."""
    assert both(tmp_path, "once", "once") == (None, None)


def test_the_function_stays_what_it_was() -> None:
    """The decorator notes something; it wraps nothing."""

    def predict(n: int) -> int:
        return n

    assert cog.idempotent(predict) is predict
