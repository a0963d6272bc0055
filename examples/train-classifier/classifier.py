"""A text classifier: which runs of two to four letters occur, and a weight for each of them and each label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

FEATURES = 2**14
letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=FEATURES, alternate_sign=False)


@dataclass(frozen=True)
class Classifier:
    labels: list[str]
    weights: np.ndarray  # labels x FEATURES
    bias: np.ndarray

    @classmethod
    def fitted(cls, texts: list[str], labels: list[str], strength: float) -> "Classifier":
        """Learn from texts and their labels."""
        model = LogisticRegression(C=strength, max_iter=1000).fit(letters.transform(texts), labels)
        weights, bias = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn keeps one row for two labels
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return cls(
            [str(label) for label in model.classes_], weights.astype(np.float32), bias.astype(np.float32)
        )

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return (texts, labels)."""
        scores = letters.transform(texts) @ self.weights.T + self.bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def accuracy(self, texts: list[str], labels: list[str]) -> float:
        best = self.probabilities(texts).argmax(axis=1)
        return float(
            np.mean([self.labels[index] == label for index, label in zip(best, labels, strict=True)])
        )

    def save(self, path: Path) -> None:
        """Write numbers and labels only: a file of weights is no program."""
        with path.open("wb") as file:
            np.savez_compressed(file, labels=np.array(self.labels), weights=self.weights, bias=self.bias)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read what save() wrote. Raises ValueError for anything else."""
        with np.load(path, allow_pickle=False) as kept:
            return cls([str(label) for label in kept["labels"]], kept["weights"], kept["bias"])
