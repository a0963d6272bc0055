from typing import Iterator

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(self, count: int = Input(default=3, ge=0)) -> Iterator[Path]:
        for _ in range(count):
            yield Path("frame.png")
