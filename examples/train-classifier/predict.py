from pathlib import Path

import cog
from classifier import Classifier
from cog import BasePredictor, Input
from train import columns, read

SENTENCES = Path(__file__).parent / "sentences.csv"


class Predictor(BasePredictor):
    def setup(self, weights: cog.Path | None = None) -> None:
        """Load what a training made: COG_WEIGHTS names it (a path or an address), or it lies there as `weights`."""
        if weights is None:
            # Other models have weights they start from here; this one learns six languages faster than it would load.
            self.model = Classifier.fitted(*columns(read(SENTENCES)), strength=1000)
        else:
            self.model = Classifier.load(weights)
        print(f"knows {', '.join(self.model.labels)}")

    def predict(
        self,
        text: str = Input(description="what to classify", min_length=1),
        top: int = Input(description="how many labels to return", default=3, ge=1),
    ) -> dict[str, float]:
        """Return the likeliest labels with their probabilities."""
        found = self.model.probabilities([text])[0]
        return {
            self.model.labels[index]: round(float(found[index]), 4) for index in found.argsort()[::-1][:top]
        }
