"""A model that learns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.examples_more.project import Example

pytestmark = [pytest.mark.slow, pytest.mark.network]
LETTERS = {
    "billing": [
        "The invoice is wrong, I paid twice.",
        "Please refund the second payment.",
        "My invoice shows another amount.",
        "When will the refund be on my card?",
        "I cannot pay this invoice by card.",
        "The payment was taken from my card twice.",
    ],
    "repair": [
        "The screen of my phone is broken.",
        "My phone does not charge any more.",
        "How long does the repair of a screen take?",
        "The battery is empty after an hour.",
        "Can you repair a broken camera?",
        "The battery gets hot when it charges.",
    ],
}


@pytest.fixture
def classifier(example: Callable[[str], Example], tmp_path: Path) -> Example:
    """Return a copy, which may be trained."""
    found = example("train-classifier")
    copy = tmp_path / "classifier"
    shutil.copytree(found.folder, copy, ignore=shutil.ignore_patterns("weights", "__pycache__", "output*"))
    return Example(copy, found.outputs)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wo ist hier die nächste Apotheke?", "german"),
        ("Where is the nearest pharmacy?", "english"),
        ("Waar kan ik een fiets huren?", "dutch"),
    ],
)
def test_it_knows_languages_as_it_is(classifier: Example, text: str, language: str) -> None:
    """A dict of probabilities, the likeliest first."""
    found = classifier.answer("-i", f"text={text}")
    assert next(iter(found)) == language
    assert len(found) == 3


def test_it_learns_other_labels(classifier: Example) -> None:
    """A training writes weights, which the next predictions use; what it returns beside them is printed."""
    rows = "".join(f'"{text}",{label}\n' for label, texts in LETTERS.items() for text in texts)
    (classifier.folder / "letters.csv").write_text("text,label\n" + rows)
    done = classifier.cog("train", "-i", "data=@letters.csv")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == {"billing": 6, "repair": 6}
    assert (classifier.folder / "weights").is_file()
    for text, label in [("I paid the invoice twice.", "billing"), ("The battery is broken.", "repair")]:
        found = classifier.answer("-i", f"text={text}")
        assert next(iter(found)) == label
        assert set(found) == set(LETTERS)


def test_weights_can_be_named(classifier: Example) -> None:
    """COG_WEIGHTS chooses among several; weights that hold more than numbers are refused, not run."""
    chosen = classifier.outputs / "languages.npz"
    done = classifier.cog("train", "-i", "data=@sentences.csv", "-o", str(chosen))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] > 0.6
    told = classifier.cog("predict", "-i", "text=Je ne comprends pas.", "-e", f"COG_WEIGHTS={chosen}")
    assert next(iter(json.loads(told.stdout))) == "french"
    hostile = classifier.outputs / "hostile.npz"
    hostile.write_bytes(b"cbuiltins\nexec\n(S'raise SystemExit(7)'\ntR.")
    done = classifier.cog("predict", "-i", "text=hello", "-e", f"COG_WEIGHTS={hostile}")
    assert done.returncode == 1
    assert "allow_pickle=False" in done.stderr


def test_data_without_the_columns_is_refused(classifier: Example) -> None:
    """The reason names the columns that are there and those that are needed."""
    (classifier.folder / "wrong.csv").write_text("sentence,language\nhello,english\n")
    done = classifier.cog("train", "-i", "data=@wrong.csv")
    assert done.returncode == 1
    assert "text and label are needed" in done.stderr.splitlines()[-1]
