"""The network of all-MiniLM-L6-v2 in numpy: six BERT layers, then the mean over a text's words."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

LAYERS, HEADS, EPSILON = 6, 12, 1e-12


class Encoder:
    """Turn rows of token ids into one vector each."""

    def __init__(self, weights: Path) -> None:
        self.weights = load_file(weights)

    def __call__(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Take (texts, length) ids and a mask of 1 for tokens and 0 for padding; return (texts, 384)."""
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        unseen = np.where(mask, np.float32(0), np.float32(-1e9))[:, None, None, :]
        for number in range(LAYERS):
            name = f"encoder.layer.{number}"
            x = self.norm(x + self.attention(x, unseen, name), f"{name}.attention.output.LayerNorm")
            inner = gelu(self.dense(x, f"{name}.intermediate.dense"))
            x = self.norm(x + self.dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        shares = mask[:, :, None].astype(np.float32)
        return (x * shares).sum(axis=1) / shares.sum(axis=1)

    def attention(self, x: np.ndarray, unseen: np.ndarray, name: str) -> np.ndarray:
        texts, length, width = x.shape
        query, key, value = (
            self.dense(x, f"{name}.attention.self.{part}")
            .reshape(texts, length, HEADS, width // HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32((width // HEADS) ** 0.5) + unseen
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, length, width)
        return self.dense(mixed, f"{name}.attention.output.dense")

    def dense(self, x: np.ndarray, name: str) -> np.ndarray:
        # One product of two tables: with three axes numpy would make a small one for each text.
        rows = x.reshape(-1, x.shape[-1]) @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return rows.reshape(*x.shape[:-1], -1)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        return centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x times the share of a normal distribution below it (Abramowitz and Stegun's erf, 1e-7 off)."""
    z = np.abs(x) / np.float32(2**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - series * np.exp(-z * z))
    return x * (1 + erf) / 2
