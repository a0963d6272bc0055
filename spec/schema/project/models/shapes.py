from enum import Enum

from cog import BaseModel


class Shape(Enum):
    ROUND = "round"
    SQUARE = "square"


class Shapes(BaseModel):
    shapes: list[Shape]
