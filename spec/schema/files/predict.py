from cog import BasePredictor, File, Input, Path, Secret


class Predictor(BasePredictor):
    def predict(
        self,
        image: Path = Input(description="Picture", accept="image/png,image/jpeg"),
        mask: Path = Input(default=None),
        audio: File = Input(description="Sound"),
        frames: list[Path] = Input(description="More pictures"),
        references: list[Path] | None = None,
        token: Secret = Input(description="Key"),
        other_token: Secret | None = Input(default=None),
        sample: Path = Input(default="samples/a.png"),
    ) -> list[Path]:
        return [image]
