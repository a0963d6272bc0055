from typing import Optional

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def setup(self) -> None:
        self.count = 0

    def predict(
        self,
        prompt: str = Input(description="The prompt", min_length=1, max_length=100, regex="^[a-z ]+$"),
        steps: int = Input(description="How many", ge=1, le=500, default=50),
        guidance_scale: float = Input(ge=1.0, le=20, default=7.5),
        factor: float = 2,
        upscale: bool = False,
        seed: int = Input(default=None, description="Leave empty for a random one"),
        negative_prompt: Optional[str] = None,
        style: str | None = Input(description="Optional without a default"),
        old: int = Input(default=-1, deprecated=True),
        api_URL_v2: str = "x",
    ) -> float:
        return factor
