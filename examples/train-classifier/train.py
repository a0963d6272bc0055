import csv
import random
import tempfile
from pathlib import Path

import cog
from classifier import Classifier
from cog import BaseModel, Input


class TrainingOutput(BaseModel):
    weights: cog.Path
    labels: dict[str, int]
    accuracy: float


def train(
    data: cog.Path = Input(description="a CSV file with the columns text and label"),
    held_back: float = Input(
        description="the share of the texts that is not learned, only tested", default=0.2, ge=0.05, le=0.5
    ),
    strength: float = Input(
        description="how closely to follow the texts", default=1000.0, ge=0.01, le=100_000
    ),
    seed: int = Input(description="which texts are held back", default=0),
) -> TrainingOutput:
    """Learn labels from texts; the weights are what setup() takes."""
    rows = read(data)
    random.Random(seed).shuffle(rows)
    tested = rows[: max(1, int(len(rows) * held_back))]
    learned = rows[len(tested) :]
    print(f"learning from {len(learned)} texts, testing on {len(tested)}")
    model = Classifier.fitted(*columns(learned), strength)
    accuracy = model.accuracy(*columns(tested))
    print(f"{accuracy:.0%} of the tested texts are right")
    weights = Path(tempfile.mkdtemp()) / "classifier.npz"
    model.save(weights)
    counts = {label: sum(found == label for _, found in rows) for label in model.labels}
    return TrainingOutput(weights=cog.Path(weights), labels=counts, accuracy=round(accuracy, 4))


def read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        if not {"text", "label"} <= set(table.fieldnames or ()):
            raise ValueError(f"the data has the columns {table.fieldnames}; text and label are needed")
        rows = [(row["text"].strip(), row["label"].strip()) for row in table if row["text"] and row["label"]]
    if len({label for _, label in rows}) < 2:
        raise ValueError("the data needs at least two labels")
    return rows


def columns(rows: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [text for text, _ in rows], [label for _, label in rows]
