from pathlib import Path

import cog
import numpy as np
from bert import Encoder
from cog import BasePredictor, Input
from tokenizers import Tokenizer

WEIGHTS = Path(__file__).parent / "weights"
LONGEST = 256  # tokens; the model was trained on no more, and the rest of a text is left out


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the network and its tokenizer."""
        if not (WEIGHTS / "model.safetensors").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        self.encode = Encoder(WEIGHTS / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()

    @cog.batched(max_size=16, max_wait=0.02)
    def predict(self, text: list[str] = Input(description="what to embed")) -> list[list[float]]:
        """Return a vector of 384 numbers, 1 long, for the text of each prediction that came at about the same time."""
        self.record_metric("batch_size", len(text))
        tokens = self.tokenizer.encode_batch(text)
        ids = np.array([one.ids for one in tokens])
        mask = np.array([one.attention_mask for one in tokens])
        vectors = self.encode(ids, mask)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()
