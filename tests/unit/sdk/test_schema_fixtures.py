"""Both readers give the documents of spec/schema, byte for byte."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cog.schema import Signature, openapi, read_object, read_source
from cog.schema.__main__ import document
from cog.worker.load import load

SPEC = Path(__file__).parents[3] / "spec" / "schema"
CASES = sorted(path.name for path in SPEC.iterdir() if path.is_dir())


def refs(case: str) -> tuple[str, str | None]:
    """Return the references of a case: its predictor's and its training's."""
    file = SPEC / case / "case.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    return said.get("ref", "predict.py:Predictor"), said.get("train")


@pytest.fixture
def _clean_imports() -> Iterator[None]:
    """Forget the modules a case loads: the next one has a predict.py as well."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("cog."):
            del sys.modules[name]


def loaded(case: str, ref: str, *, train: bool = False) -> Signature:
    """Read a case by running it."""
    folder = str(SPEC / case)
    sys.path.insert(0, folder)
    return read_object(load(ref, folder), train=train)


@pytest.mark.parametrize("case", CASES)
def test_source_gives_the_document(case: str) -> None:
    """The reader of source files gives the fixture's document, byte for byte."""
    ref, train = refs(case)
    assert document(str(SPEC / case), ref, train) == (SPEC / case / "openapi.json").read_text("utf-8")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("_clean_imports")
def test_loaded_objects_give_the_document(case: str) -> None:
    """The reader of loaded predictors gives the same bytes as the reader of source files."""
    ref, train = refs(case)
    training = loaded(case, train, train=True) if train else None
    written = json.dumps(openapi(loaded(case, ref), training), indent=2, ensure_ascii=False) + "\n"
    assert written == (SPEC / case / "openapi.json").read_text("utf-8")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("_clean_imports")
def test_both_readers_agree_on_the_signature(case: str) -> None:
    """Function, traits and types are the same, not only what the document shows of them."""
    ref, _ = refs(case)
    assert read_source(SPEC / case, ref) == loaded(case, ref)
