from pathlib import Path

import numpy as np
from bert import Encoder
from cog import BasePredictor, Input
from tokenizers import Tokenizer

WEIGHTS = Path(__file__).parent / "weights"
LONGEST = 256  # tokens; the model was trained on no more, and the rest of a text is left out
TOGETHER = 32  # texts run through the network at a time


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Load the network and its tokenizer."""
        if not (WEIGHTS / "model.safetensors").exists():
            raise FileNotFoundError("the weights are not there; fetch them: python fetch_weights.py")
        self.encode = Encoder(WEIGHTS / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()

    def predict(
        self,
        texts: list[str] = Input(description="what to embed: words, sentences or short paragraphs"),
        normalize: bool = Input(
            description="make every vector 1 long, so that a dot product is the similarity", default=True
        ),
    ) -> list[list[float]]:
        """Return one vector of 384 numbers for each text, in their order."""
        vectors = np.empty((len(texts), 384), np.float32)
        # Texts of like length go together, so that little time is spent on padding.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), TOGETHER):
            chosen = order[start : start + TOGETHER]
            tokens = self.tokenizer.encode_batch([texts[index] for index in chosen])
            ids = np.array([one.ids for one in tokens])
            mask = np.array([one.attention_mask for one in tokens])
            vectors[chosen] = self.encode(ids, mask)
        if normalize:
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.tolist()
