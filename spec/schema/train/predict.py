from cog import BaseModel, BasePredictor, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


class Predictor(BasePredictor):
    def setup(self, weights: Path | None = None) -> None:
        pass

    def predict(self, prompt: str, mode: str = Input(choices=["a", "b"], default="a")) -> str:
        return prompt


def train(
    data: Path = Input(description="A zip of pictures"),
    steps: int = Input(default=100, ge=1),
    mode: str = Input(choices=["slow", "fast"], default="fast"),
) -> TrainingOutput:
    return TrainingOutput(weights=data)
