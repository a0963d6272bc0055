"""Takes one input of every kind that a form has, and says what came."""

# ruff: noqa: B008, PLR0917 - how Cog has inputs declared

from typing import Any

from cog import BasePredictor, Input, Path, Secret


class Predictor(BasePredictor):
    """Reports."""

    def predict(
        self,
        text: str = Input(description="Text"),
        count: int | None = Input(description="A number that may be left empty", default=None),
        share: float = Input(description="A slider", ge=0, le=1, default=0.5),
        flag: bool = Input(description="A checkbox", default=True),
        style: str = Input(description="A choice", choices=["oil", "ink"], default="oil"),
        level: int = Input(description="A choice of numbers", choices=[1, 2, 4], default=2),
        key: Secret = Input(description="A secret", default=None),
        words: list[str] = Input(description="A list of words", default=["a"]),
        pictures: list[Path] = Input(description="A list of files", default=[]),
        options: dict[str, Any] = Input(description="Anything", default={}),
    ) -> dict[str, Any]:
        """Report."""
        return {
            "text": text,
            "count": count,
            "share": share,
            "flag": flag,
            "style": style,
            "level": level,
            "key": len(key.get_secret_value()) if key else 0,
            "words": "|".join(words),
            "pictures": "|".join(each.read_bytes().decode() for each in pictures),
            "options": options,
        }
