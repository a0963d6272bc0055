"""Says hello, and says so in its log."""

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    """Greets."""

    def predict(self, text: str = Input(description="Whom to greet")) -> str:
        """Greet."""
        print(f"greeting {text}")
        return f"hello {text}"
