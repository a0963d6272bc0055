"""Counts, slowly if asked, giving each number as it comes."""

import time

from cog import BasePredictor, ConcatenateIterator, Input


class Predictor(BasePredictor):
    """Counts."""

    def predict(
        self,
        to: int = Input(description="Last number", ge=0, le=10_000, default=3),
        pause: float = Input(description="Seconds between numbers", ge=0, le=60, default=0),
        fail: bool = Input(description="Raise at the end", default=False),
    ) -> ConcatenateIterator[str]:
        """Count."""
        for number in range(1, to + 1):
            time.sleep(pause)
            yield f"{number} "
        if fail:
            raise ValueError("told to fail")
