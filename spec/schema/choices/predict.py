from enum import Enum, IntEnum, auto
from typing import List, Literal, Optional

from cog import BasePredictor, Input

SIZES = [256, 512]
SIZES += [1024]
SAMPLERS = {"ddim": 1, "euler": 2}
Mode = Literal["fast", "good"]


class Style(str, Enum):
    PLAIN = "plain"
    FANCY = "fancy"
    SAME_AS_PLAIN = "plain"


class Level(IntEnum):
    LOW = auto()
    HIGH = auto()


class Predictor(BasePredictor):
    RATIOS = ("1:1", "16:9")

    def predict(
        self,
        size: int = Input(choices=SIZES, default=SIZES[0]),
        sampler: str = Input(choices=list(SAMPLERS.keys()), description="Which one"),
        scale: float = Input(choices=[1, 1.5, 2], default=1),
        ratio: str = Input(choices=RATIOS, default="1:1"),
        shown: str = Input(choices=[f"{w}x{w}" for w in SIZES], default="256x256"),
        mode: Mode = "fast",
        maybe: Optional[Literal["a", "b"]] = None,
        number: Literal[1, 2, 3] = 2,
        mixed: Literal["auto", 1] = "auto",
        style: Style = Style.PLAIN,
        style_name: str = Input(choices=[s.value for s in Style], default=Style.FANCY.value),
        level: Level = Level.HIGH,
        several: List[Style] = Input(default=[Style.PLAIN, "fancy"]),
        tags: list[str] = Input(choices=["x", "y"], default=["x"]),
        Output: str = Input(choices=["png", "jpg"], default="png", description="Named like a component"),
    ) -> Style:
        return style
