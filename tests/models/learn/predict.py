"""Says the word that it was trained on."""

from cog import BaseModel, BasePredictor, Input, Path


class Predictor(BasePredictor):
    """Remembers a word."""

    def setup(self, weights: Path | None = None) -> None:
        """Read the word."""
        self.word = weights.read_text() if weights else "nothing"

    def predict(self) -> str:
        """Say it."""
        return f"learned {self.word}"


class Learned(BaseModel):
    """What a training returns."""

    weights: Path


def train(word: str = Input(description="What to learn")) -> Learned:
    """Learn a word."""
    path = Path("word.txt")
    path.write_text(word)
    return Learned(weights=path)
