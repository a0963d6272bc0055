from cog import BasePredictor, Input

from models.shapes import Shape, Shapes
from settings import DEFAULTS, limits


class Base(BasePredictor):
    LIMIT = limits.LARGEST

    def predict(
        self,
        shape: Shape = Shape.ROUND,
        size: int = Input(default=DEFAULTS["size"], le=LIMIT),
        style: str = Input(choices=sorted(limits.STYLES | {"last"}), default="first"),
    ) -> Shapes:
        return Shapes(shapes=[shape])
