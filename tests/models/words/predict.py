"""Gives several values at once, which are a list and not an iterator."""

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    """Splits."""

    def predict(self, text: str = Input(description="A text", default="one two")) -> list[str]:
        """Return the words."""
        return text.split()
