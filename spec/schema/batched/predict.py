"""A predictor that runs several predictions in one call; its schema is that of one."""

import cog
from cog import BasePredictor, Input, Path

SIZE = 4


class Predictor(BasePredictor):
    @cog.batched(max_size=SIZE * 2, max_wait=0.02)
    def predict(
        self,
        image: list[Path],
        words: list[list[str]] = Input(default=["a"], description="Words to look for"),
        mode: list[str] = Input(default="fast", choices=["fast", "good"]),
        limit: list[int] = Input(default=3, ge=1),
    ) -> list[dict[str, float]]:
        return [{"score": 1.0} for _ in image]
